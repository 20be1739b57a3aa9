namespace R1Serverless.Tests.ModelBuilder.Families;

/// <summary>At least one checkpoint for each family and rope type, in the spellings of transformers 4 and 5.</summary>
internal static class FamilyCases
{
    private const double Theta = 10000;

    /// <summary>1 / (0.1 · ln 4 + 1), as DeepSeek-R1-0528-Qwen3-8B has it.</summary>
    private const double AttentionFactorOff = 0.8782488562869419;

    private static readonly double[] Plain = NaiveRope.Plain(16, Theta), Short = [1, 1.05, 1.1, 1.3, 1.5, 2, 2.5, 3];

    public static IReadOnlyDictionary<string, FamilyCase> All { get; } = new Dictionary<string, FamilyCase>(StringComparer.Ordinal)
    {
        ["qwen3"] = new("""{"model_type":"qwen3","hidden_act":"silu","rope_theta":1000000,"tie_word_embeddings":true,"torch_dtype":"float32"}""",
            new NaiveModel { Hidden = 24, NormsHeads = true, IsTied = true, Layers = Layers(2, NaiveRope.Plain(16, 1e6)) }),
        ["qwen3-bias"] = new(
            """{"model_type":"qwen3","attention_bias":true,"rope_parameters":{"rope_type":"default","rope_theta":1000000},"dtype":"float32"}""",
            new NaiveModel { NormsHeads = true, HasQueryBias = true, HasOutputBias = true, Layers = Layers(2, NaiveRope.Plain(16, 1e6)) }),
        ["r1-0528-qwen3"] = new(
            """
            {"model_type":"qwen3","rope_theta":1000000,"rope_scaling":{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32,
             "attn_factor":0.8782488562869419},"use_sliding_window":false,"sliding_window":null,"max_window_layers":36}
            """,
            new NaiveModel
            {
                NormsHeads = true,
                RotaryScale = AttentionFactorOff * ((0.1 * Math.Log(4)) + 1),
                Layers = Layers(2, NaiveRope.Yarn(16, 1e6, 4, 32)),
            }),
        ["qwen2-yarn"] = new(
            """
            {"model_type":"qwen2","max_position_embeddings":32,"rope_theta":10000,
             "rope_scaling":{"type":"yarn","factor":2.0,"original_max_position_embeddings":32}}
            """,
            new NaiveModel { HasQueryBias = true, RotaryScale = (0.1 * Math.Log(2)) + 1, Layers = Layers(2, NaiveRope.Yarn(16, Theta, 2, 32)) }),
        ["llama-yarn"] = new(
            """
            {"model_type":"llama","rope_parameters":{"rope_type":"yarn","rope_theta":500,"factor":8,"original_max_position_embeddings":64,
             "beta_fast":4,"beta_slow":0.5,"mscale":0.7,"mscale_all_dim":0.3,"truncate":false}}
            """,
            new NaiveModel
            {
                HeadSize = 32,
                RotaryScale = ((0.07 * Math.Log(8)) + 1) / ((0.03 * Math.Log(8)) + 1),
                Layers = Layers(1, NaiveRope.Yarn(32, 500, 8, 64, 4, 0.5, truncates: false)),
            }),
        ["llama-yarn-attention"] = new(
            """{"model_type":"llama","rope_scaling":{"rope_type":"yarn","rope_theta":10000,"factor":4,"attention_factor":1.5}}""",
            new NaiveModel { RotaryScale = 1.5, Layers = Layers(1, NaiveRope.Yarn(16, Theta, 4, 128)) }),
        ["llama-dynamic"] = new(
            """{"model_type":"llama","rope_scaling":{"type":"dynamic","factor":4.0},"rope_parameters":{"rope_type":"default","rope_theta":10000}}""",
            new NaiveModel { Layers = Layers(1, Plain) }),
        ["llama-linear"] = new(
            """{"model_type":"llama","rope_parameters":{"rope_type":"linear","factor":4.0,"rope_theta":10000},"tie_word_embeddings":false}""",
            new NaiveModel { Layers = Layers(1, NaiveRope.Linear(16, Theta, 4)) }),
        ["mistral"] = new(
            """{"model_type":"mistral","hidden_act":"silu","sliding_window":7,"rope_theta":10000.0,"torch_dtype":"bfloat16"}""",
            new NaiveModel { Layers = [(7, Plain), (7, Plain)] }),
        ["mistral-global"] = new(
            """{"model_type":"mistral","sliding_window":null,"rope_parameters":{"rope_type":"default","rope_theta":1000000.0},"dtype":"bfloat16"}""",
            new NaiveModel { Hidden = 40, Layers = Layers(2, NaiveRope.Plain(16, 1e6)) }),
        ["phi3"] = new(
            """{"model_type":"phi3","hidden_act":"silu","sliding_window":9,"rope_theta":10000.0,"rope_scaling":null,"attention_bias":false}""",
            new NaiveModel { IsPacked = true, Layers = [(9, Plain), (9, Plain)] }),
        ["phi4-mini"] = new(
            """
            {"model_type":"phi3","partial_rotary_factor":0.5,"original_max_position_embeddings":48,"tie_word_embeddings":true,"rope_scaling":
             {"type":"longrope","short_factor":[1,1.05,1.1,1.3,1.5,2,2.5,3],"long_factor":[9,9,9,9,9,9,9,9]}}
            """,
            new NaiveModel
            {
                HeadSize = 32,
                IsPacked = true,
                IsTied = true,
                RotaryScale = Math.Sqrt(1 + (Math.Log(128.0 / 48) / Math.Log(48))),
                Layers = Layers(2, NaiveRope.Long(16, Theta, Short)),
            }),
        ["smollm3"] = new(
            """{"model_type":"smollm3","attention_bias":false,"mlp_bias":false,"use_sliding_window":false,"sliding_window":null}""",
            new NaiveModel
            {
                IsTied = true,
                Layers = [.. Layers(3, NaiveRope.Plain(16, 2e6)), (null, null), .. Layers(1, NaiveRope.Plain(16, 2e6))],
            }),
        ["smollm3-listed"] = new(
            """
            {"model_type":"smollm3","no_rope_layers":[0,1],"use_sliding_window":true,"sliding_window":5,
             "rope_parameters":{"rope_theta":5000000.0,"rope_type":"default"}}
            """,
            new NaiveModel { IsTied = true, Layers = [(5, null), (null, NaiveRope.Plain(16, 5e6))] }),
        ["gemma3"] = new(
            """
            {"model_type":"gemma3_text","hidden_activation":"gelu_pytorch_tanh","query_pre_attn_scalar":24,"sliding_window":6,
             "sliding_window_pattern":2,"rope_theta":1000000,"rope_local_base_freq":10000,"rope_scaling":{"rope_type":"linear","factor":8.0},
             "attn_logit_softcapping":null,"final_logit_softcapping":null}
            """,
            Gemma(1, [(6, Plain), (null, NaiveRope.Linear(16, 1e6, 8)), (6, Plain)])),
        ["gemma3-listed"] = new(
            """
            {"model_type":"gemma3_text","query_pre_attn_scalar":24,"sliding_window":6,"layer_types":["full_attention","sliding_attention"],
             "rope_parameters":{"full_attention":{"rope_type":"default","rope_theta":500000.0},
             "sliding_attention":{"rope_type":"default","rope_theta":2000.0}}}
            """,
            Gemma(2, [(null, NaiveRope.Plain(16, 5e5)), (6, NaiveRope.Plain(16, 2000))])),
    };

    private static NaiveModel Gemma(int keyValueHeads, (int?, double[]?)[] layers) => new()
    {
        Hidden = 48,
        KeyValueHeads = keyValueHeads,
        HasGemmaNorms = true,
        NormsHeads = true,
        IsTied = true,
        EmbeddingScale = Math.Sqrt(48),
        ScoreScale = 1 / Math.Sqrt(24),
        Layers = layers,
    };

    private static (int?, double[]?)[] Layers(int count, double[] frequencies) => [.. Enumerable.Repeat(((int?)null, (double[]?)frequencies), count)];
}
