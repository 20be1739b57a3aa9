using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Quantization;

namespace R1Serverless.ModelBuilder.Decoders;

/// <summary>What a graph returns.</summary>
internal sealed record DecoderGraphOptions
{
    /// <summary>Logits [batch, sequence, vocabulary] of every token rather than [batch, 1, vocabulary] of each row's last real one.</summary>
    public bool AllLogits { get; init; }

    public Precision Precision { get; init; }

    /// <summary>Another layout than the precision's own, to be measured.</summary>
    public QuantizedLayout? Layout { get; init; }

    /// <summary>Keys and values in 8 bits; null for the type of the states.</summary>
    public KvScales? Kv { get; init; }
}
