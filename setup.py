"""What pyproject.toml cannot say: `assets` is installed as the package `tempseg.clip`."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["tempseg", "tempseg.*"]), "tempseg.clip"])
