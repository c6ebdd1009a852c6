from . import pl as pl
from .config import Config as Config
from .data.expression import prepare as prepare
from .data.expression import read as read
from .data.inspect import FileReport as FileReport
from .data.inspect import inspect as inspect
from .engine.bundle import EncoderBundle as EncoderBundle
from .engine.bundle import load_bundle as load_bundle
from .estimators.classifier import SSLClassifier as SSLClassifier
from .estimators.encoder import SSLEncoder as SSLEncoder
from .runs.reading import open_study as open_study
from .runs.result import StudyResult as StudyResult
from .studies.audit import audit as audit
from .studies.classifier import finetune as finetune
from .studies.embedding import embed as embed
from .studies.explanation import explain as explain
from .studies.grid import tune as tune
from .studies.methods import compare_methods as compare_methods
from .studies.prediction import predict as predict
from .studies.query import query as query
from .studies.recommendation import classify as classify
from .studies.study import pretrain as pretrain
from .studies.study import study as study
from .studies.target import adapt as adapt
from .studies.transfer import transfer as transfer
from .types import InputError as InputError

__version__: str
