"""What happens to mail when processes die, disks fail, fill up, or lose their power."""
