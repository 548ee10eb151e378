"""The environment that each flavour's steps run in, in the pipelines of this repository."""

HOMES = {
    "xgboost": "xgboost-3",
    "lightgbm": "lightgbm-4",
    "catboost": "catboost-1-2",
    "tensorflow": "tensorflow-2-20",
    "sklearn": "sklearn-1-9",
}
"""The last is where a flavour goes that is not named, to be refused by name. PyTorch is not
among them: its environment is built on request."""
