using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Models.Series;

/// <summary>How a model takes the events of a series.</summary>
public sealed record SeriesSettings
{
    /// <summary>The input that takes a window of events, or one event where <see cref="Window"/> is null.</summary>
    public required string Input { get; init; }

    /// <summary>FP32 or FP64.</summary>
    public required TensorType Type { get; init; }

    /// <summary>Null where the model takes each event by itself and keeps a state.</summary>
    public WindowSettings? Window { get; init; }

    /// <summary>Dimensions of one event, -1 for one that each event chooses; empty for a single number.</summary>
    public required IReadOnlyList<long> EventShape { get; init; }

    /// <summary>What each run hands to the next.</summary>
    public IReadOnlyList<StateSettings> States { get; init; } = [];

    /// <summary>Inputs that are the same for every run.</summary>
    public IReadOnlyList<Tensor> Constants { get; init; } = [];

    /// <summary>The number that is decided by; null where there is none.</summary>
    public ScoreSettings? Score { get; init; }

    /// <summary>Values of one event; null where each event chooses.</summary>
    public int? EventSize => EventShape.Contains(-1) ? null : (int)EventShape.Aggregate(1L, (product, dimension) => product * dimension);
}

/// <param name="Steps">Events of a window.</param>
/// <param name="Stride">Events from one window to the next.</param>
/// <param name="Pad">Zeros before the first event.</param>
/// <param name="Axis">The input's dimension that counts steps: 1, or 2 where it is [batch, values, steps].</param>
public sealed record WindowSettings(int Steps, int Stride, int Pad, int Axis);

/// <summary>An output that is the next run's input.</summary>
/// <param name="Initial">The input of a series' first run: zeros.</param>
public sealed record StateSettings(string Output, Tensor Initial);

/// <summary>Where the score stands.</summary>
/// <param name="Output">FP32 or FP64.</param>
/// <param name="Index">Among the output's numbers of one window.</param>
/// <param name="Threshold">Scores of at least this are decided true; null where requests say so, or nobody.</param>
/// <param name="Labels">Of the output's numbers; empty for none.</param>
public sealed record ScoreSettings(string Output, int Index, double? Threshold, IReadOnlyList<string> Labels);
