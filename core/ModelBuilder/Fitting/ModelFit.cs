using R1Serverless.ModelBuilder.Fitting.Training;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Fitting;

/// <summary>How a model is fitted.</summary>
public sealed record FitOptions
{
    /// <summary>Whether texts that are longer than the encoder reads are cut at their end; else they are refused.</summary>
    public bool Truncates { get; init; }
}

/// <summary>How far a fit is.</summary>
/// <param name="Work">What is done, in a word.</param>
public readonly record struct FitProgress(string Work, long Done, long Total);

/// <summary>A model that was fitted.</summary>
/// <param name="Notes">In words, for a person.</param>
/// <param name="EncodeTime">What it took to make vectors of the samples, the load of the encoder included.</param>
/// <param name="FitTime">What it took to choose, judge and fit the head.</param>
public sealed record ModelFit(ModelManifest Manifest, FitReport Report, IReadOnlyList<string> Notes, TimeSpan EncodeTime, TimeSpan FitTime);
