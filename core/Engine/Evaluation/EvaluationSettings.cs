using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;

namespace R1Serverless.Engine.Evaluation;

/// <summary>How a model's variants are evaluated.</summary>
public sealed record EvaluationSettings
{
    /// <summary>The variants to measure beside the reference; empty means all.</summary>
    public IReadOnlyList<Precision> Precisions { get; init; } = [];

    /// <summary>The accuracy drop that is allowed, in points of percent, 0 to 100.</summary>
    public double Tolerance { get; init; } = PrecisionPreference.DefaultAccuracyDrop;

    public RuntimeOptions Runtime { get; init; } = new();

    /// <summary>Tasks whose answers are compared token by token: that many, taken evenly from all.</summary>
    public int ComparedTasks { get; init; } = 128;

    /// <summary>Tokens of an answer that are compared at most.</summary>
    public int ComparedTokens { get; init; } = 256;

    /// <summary>The numbers of rows whose speed is measured.</summary>
    public IReadOnlyList<int> Rows { get; init; } = [1, 8, 32];

    /// <summary>How often each speed is measured.</summary>
    public int Rounds { get; init; } = 5;
}

/// <summary>What is being done, and how much of it is done.</summary>
public readonly record struct EvaluationProgress(string Work, int Done, int Total);
