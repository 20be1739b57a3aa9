using System.Text.Json.Serialization;

namespace R1Serverless.ModelBuilder.Fitting.Training;

/// <summary>How well a head is expected to do, by samples that it was not fitted on: each is judged by heads that were fitted on others
/// only.</summary>
public sealed record FitReport
{
    /// <summary>By their number.</summary>
    public required IReadOnlyList<ClassReport> Classes { get; init; }

    public required int Samples { get; init; }

    /// <summary>Parts of which each was left out once.</summary>
    public required int Folds { get; init; }

    /// <summary>How often the samples were dealt into parts anew.</summary>
    public required int Repeats { get; init; }

    /// <summary>Right answers, 0 to 1, over all repeats.</summary>
    public required double Accuracy { get; init; }

    /// <summary>Where the accuracy lies with 95 % confidence for so many samples, by Wilson's interval.</summary>
    public required double Low { get; init; }

    /// <inheritdoc cref="Low"/>
    public required double High { get; init; }

    /// <summary>The accuracy of always giving the label that most samples have.</summary>
    public required double Baseline { get; init; }

    /// <summary>Mean of -log of the right label's probability, in nats.</summary>
    public required double LogLoss { get; init; }

    /// <summary>How much samples weigh against small weights: scikit-learn's C, for vectors whose mean squared length is 1.</summary>
    public required double Strength { get; init; }

    /// <summary>Samples by their own label (first) and the one that they were given, as a mean over repeats.</summary>
    public required IReadOnlyList<IReadOnlyList<double>> Confusion { get; init; }

    /// <summary>What the vectors are, in words.</summary>
    public string Vectors { get; init; } = "";
}

/// <summary>Of one label.</summary>
/// <param name="Precision">Of those that were given this label, how many have it; null where none was given it.</param>
/// <param name="Recall">Of those that have this label, how many were given it.</param>
public sealed record ClassReport(string Label, int Samples, double? Precision, double Recall);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(FitReport))]
internal sealed partial class FitJson : JsonSerializerContext;
