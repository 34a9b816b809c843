//! A transformer encoder that reads sentences, in the layout of the checkpoints that BERT's users share.
//!
//! Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers, 2019; Wang et al., MiniLM, 2020; Reimers and
//! Gurevych, Sentence-BERT, 2019.

use std::error::Error;
use std::path::Path;
use tokenizers::{PaddingParams, PaddingStrategy, Tokenizer, TruncationParams};
use wengert::nn::{CrossEntropyLoss, Embedding, Layer, LayerNorm, Linear, Module, Part, init};
use wengert::ops::functional as F;
use wengert::optim::{AdamW, Optimizer};
use wengert::{DType, Tensor, io};

/// The sizes of a [`Bert`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// How many tokens there are.
    pub vocabulary: usize,
    /// How wide the vectors are.
    pub width: usize,
    /// How many blocks.
    pub layers: usize,
    /// How many heads of attention a block has.
    pub heads: usize,
    /// How wide a block's middle layer is.
    pub middle: usize,
    /// How many tokens a text may have.
    pub positions: usize,
    /// What is added to a variance.
    pub eps: f64,
}

impl Config {
    /// Reads a `config.json`.
    pub fn read(path: &Path) -> Result<Config, Box<dyn Error>> {
        let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
        let number = |name: &str| {
            json[name]
                .as_f64()
                .ok_or_else(|| format!("`{}` has no number `{name}`", path.display()))
        };
        if json["hidden_act"] != "gelu" || json["position_embedding_type"] != "absolute" {
            return Err("only gelu and absolute positions are implemented here".into());
        }
        Ok(Config {
            vocabulary: number("vocab_size")? as usize,
            width: number("hidden_size")? as usize,
            layers: number("num_hidden_layers")? as usize,
            heads: number("num_attention_heads")? as usize,
            middle: number("intermediate_size")? as usize,
            positions: number("max_position_embeddings")? as usize,
            eps: number("layer_norm_eps")?,
        })
    }
}

/// The encoder, without dropout.
pub struct Bert {
    words: Embedding,
    positions: Embedding,
    kinds: Embedding,
    norm: LayerNorm,
    blocks: Vec<Block>,
}

/// Attention and two layers, each added to what it read and normalised.
struct Block {
    heads: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
    norm: LayerNorm,
}

impl Bert {
    /// With random weights.
    pub fn new(config: Config) -> Bert {
        let Config {
            width, middle, eps, ..
        } = config;
        let linear = || Linear::new(width, width);
        let norm = || LayerNorm::new([width]).eps(eps);
        let block = |_| Block {
            heads: config.heads,
            query: linear(),
            key: linear(),
            value: linear(),
            attended: linear(),
            attended_norm: norm(),
            widen: Linear::new(width, middle),
            narrow: Linear::new(middle, width),
            norm: norm(),
        };
        Bert {
            words: Embedding::new(config.vocabulary, width),
            positions: Embedding::new(config.positions, width),
            kinds: Embedding::new(2, width),
            norm: norm(),
            blocks: (0..config.layers).map(block).collect(),
        }
    }

    /// The vectors `[n, time, width]` of tokens `[n, time]`, of which `mask` says which are there.
    pub fn forward(&self, ids: &Tensor, mask: &Tensor) -> Tensor {
        let positions = Tensor::arange(0, ids.size(1) as i64);
        let x = self.words.forward(ids)
            + self.positions.forward(&positions)
            + self.kinds.forward(&positions.zeros_like());
        let mut x = self.norm.forward(&x);
        // For each head and each token that looks, the same tokens can be seen.
        let seen = mask.to(DType::Bool).unsqueeze(1).unsqueeze(1);
        for block in &self.blocks {
            x = block.forward(&x, &seen);
        }
        x
    }

    /// The mean of the vectors of each text, `[n, width]`.
    pub fn embed(&self, ids: &Tensor, mask: &Tensor) -> Tensor {
        let mask = mask.to(DType::F32).unsqueeze(-1);
        (self.forward(ids, &mask.squeeze(-1)) * &mask).sum_dim(1, false) / mask.sum_dim(1, false)
    }
}

impl Block {
    fn forward(&self, x: &Tensor, seen: &Tensor) -> Tensor {
        let [n, time, width] = [x.size(0), x.size(1), x.size(2)];
        let heads = |layer: &Linear| {
            let y = layer
                .forward(x)
                .reshape([n, time, self.heads, width / self.heads]);
            y.transpose(1, 2)
        };
        let (q, k, v) = (heads(&self.query), heads(&self.key), heads(&self.value));
        let y = F::scaled_dot_product_attention(&q, &k, &v, Some(seen), 0.0, false, None, false);
        let y = y.transpose(1, 2).reshape([n, time, width]);
        let x = self.attended_norm.forward(&(x + self.attended.forward(&y)));
        let y = self.narrow.forward(&self.widen.forward(&x).gelu());
        self.norm.forward(&(x + y))
    }
}

/// With the names that checkpoints use.
impl Module for Bert {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        show("embeddings.word_embeddings", Part::Module(&self.words));
        show("embeddings.position_embeddings", Part::Module(&self.positions));
        show("embeddings.token_type_embeddings", Part::Module(&self.kinds));
        show("embeddings.LayerNorm", Part::Module(&self.norm));
        for (i, block) in self.blocks.iter().enumerate() {
            show(&format!("encoder.layer.{i}"), Part::Module(block));
        }
    }
}

impl Module for Block {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        show("attention.self.query", Part::Module(&self.query));
        show("attention.self.key", Part::Module(&self.key));
        show("attention.self.value", Part::Module(&self.value));
        show("attention.output.dense", Part::Module(&self.attended));
        show("attention.output.LayerNorm", Part::Module(&self.attended_norm));
        show("intermediate.dense", Part::Module(&self.widen));
        show("output.dense", Part::Module(&self.narrow));
        show("output.LayerNorm", Part::Module(&self.norm));
    }
}

/// An encoder and the tokenizer that belongs to it.
pub struct Sentences {
    /// The encoder.
    pub model: Bert,
    /// Its sizes.
    pub config: Config,
    tokenizer: Tokenizer,
}

impl Sentences {
    /// Reads `config.json`, `tokenizer.json` and `model.safetensors` in a directory.
    pub fn load(directory: &Path) -> Result<Sentences, Box<dyn Error>> {
        let config = Config::read(&directory.join("config.json"))?;
        let model = Bert::new(config);
        let mut weights = io::load_safetensors(directory.join("model.safetensors"))?;
        // What sentence embeddings do not use.
        for name in [
            "embeddings.position_ids",
            "pooler.dense.weight",
            "pooler.dense.bias",
        ] {
            weights.remove(name);
        }
        model.load_state_dict(&weights)?;
        let mut tokenizer =
            Tokenizer::from_file(directory.join("tokenizer.json")).map_err(|e| e.to_string())?;
        let truncation = TruncationParams {
            max_length: 256,
            ..TruncationParams::default()
        };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|e| e.to_string())?;
        tokenizer.with_padding(Some(PaddingParams {
            strategy: PaddingStrategy::BatchLongest,
            ..PaddingParams::default()
        }));
        Ok(Sentences {
            model,
            config,
            tokenizer,
        })
    }

    /// The numbers of the tokens, and which of them are there, `[n, time]`.
    pub fn tokens(&self, sentences: &[&str]) -> Result<(Tensor, Tensor), Box<dyn Error>> {
        let encoded = self.tokenizer.encode_batch(sentences.to_vec(), true);
        let encoded = encoded.map_err(|e| e.to_string())?;
        let shape = [encoded.len(), encoded.first().map_or(0, |e| e.len())];
        let all = |of: fn(&tokenizers::Encoding) -> &[u32]| {
            let numbers: Vec<i64> = encoded.iter().flat_map(of).map(|v| i64::from(*v)).collect();
            Tensor::from_vec(numbers, shape)
        };
        Ok((
            all(tokenizers::Encoding::get_ids),
            all(tokenizers::Encoding::get_attention_mask),
        ))
    }

    /// Embeddings of length 1, `[n, width]`: their products are the sentences' similarities.
    pub fn embed(&self, sentences: &[&str]) -> Result<Tensor, Box<dyn Error>> {
        let (ids, mask) = self.tokens(sentences)?;
        let x = wengert::no_grad(|| self.model.embed(&ids, &mask));
        Ok(&x / x.square().sum_dim(1, true).sqrt())
    }
}

/// Tokens, which of them are there, and the classes of the texts.
pub type Batch = (Tensor, Tensor, Tensor);

/// Trains the encoder and a new layer on it to tell classes apart, and returns that layer and the losses of the steps. The
/// new layer begins with zeros.
pub fn fine_tune(
    model: &Bert,
    width: usize,
    classes: usize,
    batches: &[Batch],
    learning_rate: f64,
    steps: usize,
    mut each: impl FnMut(usize, f64),
) -> (Linear, Vec<f64>) {
    let head = Linear::new(width, classes);
    init::zeros_(&head.W);
    init::zeros_(&head.b);
    let trained = [model.parameters(), head.parameters()].concat();
    let mut optimizer = AdamW::new(trained, learning_rate).weight_decay(0.01);
    let losses = (0..steps).map(|step| {
        let (ids, mask, classes) = &batches[step % batches.len()];
        let loss = CrossEntropyLoss::new().forward(&head.forward(&model.embed(ids, mask)), classes);
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        each(step, loss.item());
        loss.item()
    });
    let losses = losses.collect();
    (head, losses)
}

/// A small labelled task: sentences that a person might say to a program, and what they mean by it.
/// `data/README.md` says where they come from.
pub struct Intents {
    /// The names of the intents, in alphabetical order.
    pub names: Vec<&'static str>,
    /// Sentences to train with and their intents, mixed.
    pub train: Vec<(&'static str, i64)>,
    /// Sentences to test with.
    pub test: Vec<(&'static str, i64)>,
}

impl Intents {
    /// Every fourth sentence is for the test.
    pub fn read() -> Intents {
        let lines = include_str!("../data/intents.tsv").lines();
        let rows: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once('\t')).collect();
        let mut names: Vec<&str> = rows.iter().map(|(intent, _)| *intent).collect();
        names.sort_unstable();
        names.dedup();
        let number = |intent: &str| names.iter().position(|n| *n == intent).map_or(0, |n| n as i64);
        let (mut train, mut test) = (Vec::new(), Vec::new());
        for (i, (intent, text)) in rows.into_iter().enumerate() {
            let part = if i % 4 == 3 { &mut test } else { &mut train };
            part.push((text, number(intent)));
        }
        let mut places: Vec<usize> = (0..train.len()).collect();
        places.sort_by_key(|i| i * 23 % train.len());
        let train = places.into_iter().map(|i| train[i]).collect();
        Intents { names, train, test }
    }

    /// The losses of PyTorch's first steps from the real model, in batches of 17; `reference/minilm.py` made them.
    pub fn losses_of_pytorch() -> Vec<f64> {
        let all: serde_json::Value =
            serde_json::from_str(include_str!("../reference/minilm.json")).expect("it is JSON");
        let losses = all["real"]["losses"].as_array().into_iter().flatten();
        losses.filter_map(serde_json::Value::as_f64).collect()
    }

    /// Batches of `size` of these.
    pub fn batches(
        of: &[(&str, i64)],
        size: usize,
        sentences: &Sentences,
    ) -> Result<Vec<Batch>, Box<dyn Error>> {
        let batch = |part: &[(&str, i64)]| {
            let (texts, classes): (Vec<&str>, Vec<i64>) = part.iter().copied().unzip();
            let (ids, mask) = sentences.tokens(&texts)?;
            Ok((ids, mask, Tensor::from_slice(&classes, [classes.len()])))
        };
        of.chunks(size).map(batch).collect()
    }
}
