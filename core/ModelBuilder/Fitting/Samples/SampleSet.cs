namespace R1Serverless.ModelBuilder.Fitting.Samples;

/// <summary>What a model is fitted to: things with the labels that they should get.</summary>
public abstract record SampleSet
{
    private protected SampleSet(IReadOnlyList<int> lines, IReadOnlyList<string> labels, IReadOnlyList<string> notes)
    {
        (Lines, Notes) = (lines, notes);
        Labels = [.. labels.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        var numbers = Labels.Index().ToDictionary(one => one.Item, one => one.Index, StringComparer.Ordinal);
        Classes = [.. labels.Select(label => numbers[label])];
    }

    /// <summary>Where each stands in its file, from 1; of a folder's files, in their order.</summary>
    public IReadOnlyList<int> Lines { get; }

    /// <summary>The different labels, in order.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>The number of each sample's label.</summary>
    public IReadOnlyList<int> Classes { get; }

    /// <summary>What was done with the file, in words, for a person.</summary>
    public IReadOnlyList<string> Notes { get; }

    public int Count => Lines.Count;

    /// <summary>Where a sample is, in words.</summary>
    internal virtual string Place(int sample) => $"line {Lines[sample]}";

    /// <exception cref="InvalidDataException">There is nothing to tell apart, or a label has one sample only.</exception>
    public void CheckLabels()
    {
        if (Labels.Count < 2)
            throw new InvalidDataException(Count == 0 ? "There are no samples."
                : $"All {Count} samples have the label '{Labels[0]}': samples of at least two labels are needed.");
        foreach (var group in Enumerable.Range(0, Count).GroupBy(i => Classes[i]).Where(group => group.Count() < 2))
            throw new InvalidDataException($"{Place(group.First())}: the label '{Labels[group.Key]}' has one sample only; each needs two, to "
                + "fit with one and judge by the other. Is it misspelt?");
    }
}

/// <summary>Texts.</summary>
/// <param name="Given">The label of each sample.</param>
public sealed record TextSamples(IReadOnlyList<int> Lines, IReadOnlyList<string> Given, IReadOnlyList<string> Texts, IReadOnlyList<string> Notes)
    : SampleSet(Lines, Given, Notes);

/// <summary>Pictures in files.</summary>
/// <param name="Given">The label of each sample.</param>
/// <param name="Folder">What their names are relative to.</param>
/// <param name="Names">Of PNG, JPEG or WebP files; what is in them is not looked at yet.</param>
/// <param name="IsOfFolders">Whether they come from folders, and are told by their names; else by their lines.</param>
public sealed record PictureSamples(
    IReadOnlyList<int> Lines, IReadOnlyList<string> Given, string Folder, IReadOnlyList<string> Names, bool IsOfFolders, IReadOnlyList<string> Notes)
    : SampleSet(Lines, Given, Notes)
{
    public string PathOf(int sample) => Path.Combine(Folder, Names[sample]);

    internal override string Place(int sample) => PlaceOf(Lines[sample], Names[sample], IsOfFolders);

    internal static string PlaceOf(int line, string name, bool isOfFolders) => isOfFolders ? name : $"line {line}, {name}";
}

/// <summary>Rows of numbers, or windows: numbers of several steps.</summary>
/// <param name="Given">The label of each sample.</param>
/// <param name="Shape">Of each: [columns], or [steps, features].</param>
/// <param name="Columns">The names of the columns or features, where they have some.</param>
/// <param name="Values">Of all samples, one behind the other; NaN where a row lacks a number.</param>
public sealed record NumberSamples(IReadOnlyList<int> Lines, IReadOnlyList<string> Given, IReadOnlyList<int> Shape, IReadOnlyList<string> Columns,
    float[] Values, IReadOnlyList<string> Notes)
    : SampleSet(Lines, Given, Notes)
{
    public bool IsWindow => Shape.Count == 2;

    /// <summary>Numbers of one sample.</summary>
    public int Size => Shape.Aggregate((product, size) => product * size);
}
