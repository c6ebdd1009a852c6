"""The study's recipe on microarrays, cancer or not: as configs/study_tcga.py with 16 prototypes.

Large batches did best there (Fig. 23), and hard codes (Figs 20-21).

  python -m launch.study --config=configs/study_microarray.py --data=hgu133.h5ad --out=runs/hgu133
"""

from configs import study_tcga
from jaxssl.config import Config


def get_config() -> Config:
    config = study_tcga.get_config()
    config.method.n_prototypes = (16,)
    config.method.hard_codes = True
    config.pretrain.batch_size = 256
    return config
