"""The exercises, one module a lesson. A lesson's folder is `NN_slug`, its module `slug`."""
