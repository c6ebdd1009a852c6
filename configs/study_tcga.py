"""The study's recipe on RNA-seq (IBISC, Évry, 2022): SwAV on standardised genes, plain fine-tuning.

Column masking with N(0, 1) fill (Figs 24-25), about three prototypes a class (Fig. 17), small
batches (Fig. 22), three layers transferred and none frozen (Figs 15-16), Adam 4e-4 (Fig. 11).
Where the study is silent (epochs, mask share, pretraining rate) the choice is ours: 1,500 steps,
half of the genes. The split stays grouped, so that results compare with configs/default.py; the
study's own split is --config.split.protocol=stratified. Expected: README, "The study's recipe".

  python -m launch.study --config=configs/study_tcga.py --data=mirna.h5ad --out=runs/mirna_study

At full size: the GDC's RNA-seq of all TCGA projects, as one matrix (UCSC Xena, GDC hub:
GDC-PANCAN.htseq_fpkm.tsv.gz, log2(FPKM + 1), 60,483 genes, of which about 57,000 vary) and
GDC-PANCAN.basic_phenotype.tsv.gz. --label_rule=tcga20 makes the study's 20 classes of project and
barcode, and prints how. Then two commands, the second on a GPU (launch.doctor says how many seeds
fit at a time):

  python -m launch.prepare --labels=GDC-PANCAN.basic_phenotype.tsv.gz --label_rule=tcga20 \
      --out=tcga.h5ad GDC-PANCAN.htseq_fpkm.tsv.gz
  python -m launch.reproduce --figure=all --dataset=tcga --scale=full --data=tcga.h5ad \
      --out=runs/study_tcga
"""

from jaxssl.config import Config
from jaxssl.methods.swav import SwAVConfig


def get_config() -> Config:
    config = Config()
    config.normalize.input = "genes"
    config.normalize.scaling = 1.0
    config.encoder.norm = "none"
    config.encoder.activate_last = True
    config.augment.noise = 0.0
    config.augment.mask_rate = 0.5
    config.augment.mask_per = "batch"
    config.augment.mask_fill = "normal"
    config.method = SwAVConfig(n_prototypes=(60,))  # 20 classes
    config.pretrain.n_steps = 1500
    config.finetune.probe_steps = 0
    config.finetune.batch_size = 256
    config.finetune.n_steps = config.finetune.scratch_steps = 400
    config.finetune.learning_rate = config.finetune.scratch_learning_rate = 4e-4
    config.finetune.schedule = "constant"
    config.finetune.class_balance = 0.0
    return config
