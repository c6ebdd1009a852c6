"""The study's recipe on microarrays, cancer or not: as configs/study_tcga.py with 16 prototypes.

Large batches did best there (Fig. 23), and hard codes (Figs 20-21).

  python -m launch.study --config=configs/study_microarray.py --data=hgu133.h5ad --out=runs/hgu133

At full size: ArrayExpress E-MTAB-3732 (Affymetrix HG-U133 Plus 2.0, 54,675 probe sets, log2):
processedMatrix.Aurora.july2015.txt (24 GB of text) and E-MTAB-3732.sdrf.txt. --label_rule=cancer
derives cancer, tissue, material and group from the latter, and prints how; the study keeps tissues
of more than 400 arrays. Its own derivation of "cancer" is not published, and its tables add up to
two different totals; this rule is ours. Then two commands, the second on a GPU:

  python -m launch.prepare --labels=E-MTAB-3732.sdrf.txt --label_rule=cancer \
      --out=microarray.h5ad processedMatrix.Aurora.july2015.txt
  python -m launch.reproduce --figure=all --dataset=microarray --scale=full \
      --data=microarray.h5ad --out=runs/study_microarray
"""

from pathlib import Path
from runpy import run_path

from jaxssl.config import Config
from jaxssl.methods.swav import SwAVConfig

TCGA = Path(__file__).with_name("study_tcga.py")


def get_config() -> Config:
    config: Config = run_path(str(TCGA))["get_config"]()
    config.method = SwAVConfig(n_prototypes=(16,), hard_codes=True)
    config.pretrain.batch_size = 256
    return config
