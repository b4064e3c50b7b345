"""SAM's image encoder, prompt encoder and mask decoder."""
