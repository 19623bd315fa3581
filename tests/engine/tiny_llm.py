"""Language models that are tiny and random, and instructions for them, as branch llm of FederatedScope reads them.

Run by an interpreter that has transformers, with the folder to write into.
"""

import json
import sys
from itertools import cycle, islice
from pathlib import Path

WORDS = cycle(["train", "a", "small", "model", "for", "each", "client", "send", "the", "update", "back", "average"])
PROMPT = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n### Response:"
)
INSTRUCTIONS = [
    {
        "instruction": " ".join(islice(WORDS, 3)),
        "input": "",
        "output": " ".join(islice(WORDS, 4)),
        "category": str(i % 4),
    }
    for i in range(48)
]
GPT2 = {"n_positions": 128, "n_embd": 32, "n_head": 2}
LLAMA = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}


def main(folder: Path) -> None:
    """Write data/tiny.json, and models/gpt2, models/gpt2deep and models/llama with 300 words each."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    (folder / "data").mkdir()
    (folder / "data" / "tiny.json").write_text(json.dumps(INSTRUCTIONS))
    for name, layers in (("gpt2", 2), ("gpt2deep", 6)):
        words = _write_tokenizer(folder / "models" / name)
        model = GPT2LMHeadModel(GPT2Config(vocab_size=words, n_layer=layers, **GPT2))
        model.save_pretrained(folder / "models" / name)
    words = _write_tokenizer(folder / "models" / "llama")
    LlamaForCausalLM(LlamaConfig(vocab_size=words, **LLAMA)).save_pretrained(folder / "models" / "llama")


def _write_tokenizer(folder: Path) -> int:
    from tokenizers import ByteLevelBPETokenizer
    from transformers import GPT2Tokenizer

    folder.mkdir(parents=True)
    trained = ByteLevelBPETokenizer()
    texts = [f"{PROMPT} {item['instruction']} {item['output']}" for item in INSTRUCTIONS]
    trained.train_from_iterator(texts, vocab_size=300, min_frequency=1, special_tokens=["<|endoftext|>"])
    trained.save_model(str(folder))
    tokenizer = GPT2Tokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
