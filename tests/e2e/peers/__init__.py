"""Other people's servers, run privately for a test or a bench."""
