"""Components as KFP tasks: their code travels with them. The only room that imports kfp."""
