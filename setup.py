"""What pyproject.toml cannot say: `assets` is installed as the package `tempseg.clip`."""

from setuptools import find_namespace_packages, setup

own = find_namespace_packages(include=["tempseg", "tempseg.*"], exclude=["*.__pycache__*"])
setup(packages=[*own, "tempseg.clip"])
