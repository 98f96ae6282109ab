"""The thin library that the notebooks call: two breast-imaging papers, rebuilt."""

import warnings

from lib.core import runtime

# Keras and TensorFlow read their environment once, on import, and TensorFlow logs to stderr
# before Python code can stop it: so the environment is set before any module of lib imports keras.
runtime.set_environment()

# Importing Keras loads tqdm's notebook bars, which miss a widget package that nothing here needs.
warnings.filterwarnings("ignore", message="IProgress not found")
