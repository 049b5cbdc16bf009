"""How much of an emitted accelerator the validation's cases reach."""
