"""The recommendation for any data set: conditioned components, Gaussian noise, SwAV, LP-FT.

Untuned per set; everything that depends on the data follows from the number of training samples.
README has the figures. Example:

  python -m launch.study --data=mirna.h5ad --out=runs/mirna
"""

from jaxssl.config import Config


def get_config() -> Config:
    return Config()
