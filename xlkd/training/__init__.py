"""What `DistillationTrainer` is made of: what it checks before the first step, does in a step, and writes."""
