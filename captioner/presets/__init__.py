"""The shipped models, one .keras file each: `captioner.Captioner.from_preset(NAME)`."""
