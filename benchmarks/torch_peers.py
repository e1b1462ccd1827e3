"""The captioners of benchmarks.training_speed as they are usually written in PyTorch."""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

UNITS, EMBEDDING, IMAGE_UNITS, ATTENTION_UNITS, DROPOUT = 512, 256, 512, 256, 0.5


class ConstantImage(nn.Module):
    """nn.LSTM with word and picture concatenated at every step, on packed sequences.

    Packed, as in yunjey's pytorch-tutorial, it computes neither recurrence nor logits of padding.
    """

    def __init__(self, vocabulary_size, channels):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, EMBEDDING, padding_idx=0)
        self.image = nn.Linear(channels, IMAGE_UNITS)
        self.lstm = nn.LSTM(EMBEDDING + IMAGE_UNITS, UNITS, batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)
        self.logits = nn.Linear(UNITS, vocabulary_size)

    def forward(self, words, image):
        """Logits (real words, vocabulary), in the order of `packed`."""
        vectors = self.embedding(words)  # (batch, time, embed)
        image = self.image(image)[:, None].expand(-1, words.shape[1], -1)
        inputs = packed(torch.cat([vectors, image], dim=-1), words)
        hidden, _ = self.lstm(inputs)
        return self.logits(self.dropout(hidden.data))


def packed(values, words):
    """The values (batch, time, ...) of real words, as a PackedSequence."""
    lengths = (words != 0).sum(dim=1)
    return pack_padded_sequence(values, lengths, batch_first=True, enforce_sorted=False)


class Attention(nn.Module):
    """Soft attention with an LSTMCell in a loop, and captions sorted so that the batch can shrink.

    Follows "a PyTorch Tutorial to Image Captioning" (sgrvinod), as most such code does.
    """

    def __init__(self, vocabulary_size, channels):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, EMBEDDING)
        self.region_keys = nn.Linear(channels, ATTENTION_UNITS)
        self.query = nn.Linear(UNITS, ATTENTION_UNITS)
        self.score = nn.Linear(ATTENTION_UNITS, 1)
        self.first_hidden, self.first_memory = (nn.Linear(channels, UNITS) for _ in range(2))
        self.gate = nn.Linear(UNITS, channels)
        self.cell = nn.LSTMCell(EMBEDDING + channels, UNITS)
        self.dropout = nn.Dropout(DROPOUT)
        self.logits = nn.Linear(UNITS, vocabulary_size)

    def forward(self, words, regions):
        lengths = (words != 0).sum(dim=1)
        lengths, order = lengths.sort(descending=True)
        words, regions = words[order], regions[order]
        vectors = self.embedding(words)
        hidden, memory = (
            layer(regions.mean(dim=1)) for layer in (self.first_hidden, self.first_memory)
        )
        logits = torch.zeros(*words.shape, self.logits.out_features)
        for t in range(int(lengths[0])):
            rows = int((lengths > t).sum())
            hidden, memory = hidden[:rows], memory[:rows]
            keys = self.region_keys(regions[:rows])
            scores = self.score(torch.relu(keys + self.query(hidden)[:, None]))[..., 0]
            weights = torch.softmax(scores, dim=1)
            seen = (regions[:rows] * weights[..., None]).sum(dim=1)
            seen = torch.sigmoid(self.gate(hidden)) * seen
            inputs = torch.cat([vectors[:rows, t], seen], dim=1)
            hidden, memory = self.cell(inputs, (hidden, memory))
            logits[:rows, t] = self.logits(self.dropout(hidden))
        return logits[order.argsort()]


def trainer(vocabulary_size, channels, attention, autocast=False):
    """A function of (words, targets, image) arrays that does one training step."""
    network = (Attention if attention else ConstantImage)(vocabulary_size, channels)
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3, fused=True)
    loss_of = nn.CrossEntropyLoss(ignore_index=0, label_smoothing=0.1)

    def step(words, targets, image):
        words, targets = (torch.from_numpy(each.astype(np.int64)) for each in (words, targets))
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = network(words, torch.from_numpy(image)).float()
        if attention:
            loss = loss_of(logits.flatten(0, 1), targets.flatten())
        else:
            loss = loss_of(logits, packed(targets, words).data)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        return loss.item()

    return step
