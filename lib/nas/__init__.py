"""Paper B: architectures as text, the search that grows them, and what the printed numbers prove."""

import warnings

# Importing Keras loads tqdm's notebook bars, which miss a widget package that nothing here needs.
warnings.filterwarnings("ignore", message="IProgress not found")
