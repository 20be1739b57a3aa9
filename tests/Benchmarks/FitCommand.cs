using System.CommandLine;
using System.Globalization;
using R1Serverless.Commands;
using R1Serverless.ModelBuilder.Fitting;
using R1Serverless.ModelBuilder.Fitting.Samples;
using R1Serverless.ModelBuilder.Fitting.Training;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.Engine.Encoders;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench fit</c>: how many answers are right of a head that was fitted to a few samples of each category, over samples that it has not
/// seen: texts, or pictures.</summary>
internal static class FitCommand
{
    private static readonly Option<DirectoryInfo> Folder = new("--wordnet")
    {
        Description = "The folder with WordNet's data.noun, as Debian's wordnet-base has it.", HelpName = "DIR",
        DefaultValueFactory = _ => new DirectoryInfo("/usr/share/wordnet"),
    };

    private static readonly Option<DirectoryInfo?> Stamps = new("--pictures")
    {
        Description = "Instead of texts: a folder whose folders are categories of pictures, as Debian's tuxpaint-stamps-default has it. The nine "
            + "with the most pictures are taken.",
        HelpName = "DIR",
    };

    private static readonly Option<int> Depth =
        NumberOption.Create("--depth", 2, 1, 9, "How deep in that folder its folders are categories, with whatever lies below.");

    private static readonly Option<DirectoryInfo?> Encoder = new("--encoder")
    {
        Description = "An encoder of images. [default: ResNet18 of Microsoft.ML.DnnImageFeaturizer.ResNet18]", HelpName = "DIR",
    };

    private static readonly Option<int> Fitted =
        NumberOption.Create("--samples", 50, 10, 1000, "Samples that a head is fitted to, dealt over the categories in turn.");

    private static readonly Option<int> Splits = NumberOption.Create("--splits", 10, 1, 1000, "How often others are drawn.");

    private static readonly Option<int> Texts = NumberOption.Create("--texts", 200, 20, 2000, "Texts of each category, those for the fit included.");

    public static Command Create()
    {
        Command command = new("fit",
            "Fit heads to few texts of five categories (MiniLM-L6 over WordNet's glosses), or to few pictures of nine, and count right answers over "
            + "the others.")
        {
            Folder, Stamps, Depth, Encoder, Fitted, Splits, Texts,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(
            arguments.GetRequiredValue(Folder).FullName, arguments.GetValue(Stamps)?.FullName, arguments.GetValue(Encoder)?.FullName,
            arguments.GetValue(Fitted), arguments.GetValue(Splits), arguments.GetValue(Texts), arguments.GetValue(Depth), cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(string texts, string? pictures, string? encoder, int fitted, int splits, int count,
        int depth, CancellationToken cancellation)
    {
        var clock = TimeProvider.System;
        var work = Directory.CreateTempSubdirectory("r1-fit-");
        var (samples, source) = pictures is null ? OfTexts(Draw(WordNet.Read(texts), count))
            : OfPictures(StampFolders.Read(pictures, depth), encoder ?? StampFolders.WriteResNet18(work.FullName));
        var began = clock.GetTimestamp();
        var vectors = await source.ReadAsync(work.FullName, new Progress<int>(), cancellation);
        work.Delete(recursive: true);
        var encoded = clock.GetElapsedTime(began);
        List<Split> results = [.. Enumerable.Range(0, splits).Select(seed => Measure(samples, vectors, fitted, seed, clock, cancellation))];
        Table table = new() { Border = TableBorder.Simple };
        table.AddColumn("");
        foreach (var column in (string[])["mean", "least", "greatest"]) table.AddColumn(new TableColumn(column).RightAligned());
        Row(table, "right, other samples", results, one => one.Accuracy * 100, "0.0", " %");
        Row(table, "right, mean of the categories", results, one => one.MeanRecall * 100, "0.0", " %");
        Row(table, "right, as the fit expected", results, one => one.Report.Accuracy * 100, "0.0", " %");
        Row(table, "within the fit's interval", results,
            one => one.Accuracy >= one.Report.Low && one.Accuracy <= one.Report.High ? 100 : 0, "0", " %");
        Row(table, "strength", results, one => one.Report.Strength, "0.##", "");
        Row(table, "fit", results, one => one.Time.TotalMilliseconds, "0", " ms");
        var console = TableConsole.Create(isJson: false);
        console.Write(table);
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{splits} draws of {fitted} samples of {samples.Labels.Count} categories ({string.Join(", ", samples.Labels)}); "
            + $"{samples.Count - fitted} others. Vectors of {samples.Count}: {encoded.TotalSeconds:0.0} s, the load included."));
        return 0;
    }

    private static (SampleSet, IVectorSource) OfTexts(TextSamples samples) =>
        (samples, new EncoderVectors(samples, ModelFolder.Open(MiniLm.Path), truncates: false));

    private static (SampleSet, IVectorSource) OfPictures(PictureSamples samples, string encoder) =>
        (samples, new PictureVectors(samples, ModelFolder.Open(encoder)));

    private static TextSamples Draw(IReadOnlyList<(string Text, string Label)> glosses, int count)
    {
        Random random = new(8);
        var drawn = glosses.DistinctBy(gloss => gloss.Text).GroupBy(gloss => gloss.Label).OrderBy(group => group.Key, StringComparer.Ordinal)
            .SelectMany(group => Shuffled(random, group).Take(count)).ToArray();
        return new TextSamples([.. Enumerable.Range(1, drawn.Length)], [.. drawn.Select(one => one.Label)], [.. drawn.Select(one => one.Text)], []);
    }

    private static Split Measure(SampleSet samples, float[] vectors, int count, int seed, TimeProvider clock, CancellationToken cancellation)
    {
        var width = vectors.Length / samples.Count;
        Random random = new(seed);
        var order = Shuffled(random, Enumerable.Range(0, samples.Count));
        // The first of each category, the second of each, and so on.
        int[] fitted = [.. order.GroupBy(i => samples.Classes[i]).SelectMany(group => group.Index()).OrderBy(one => one.Index).Take(count)
            .Select(one => one.Item)];
        var began = clock.GetTimestamp();
        float[] own = [.. fitted.SelectMany(i => vectors.AsMemory(i * width, width).ToArray())];
        var scale = VectorScale.Of(own, width, isByColumn: false);
        var set = scale.Apply(own, [.. fitted.Select(i => samples.Classes[i])], samples.Labels.Count);
        var report = CrossValidation.Run(set, samples.Labels, tried: null, cancellation);
        var head = LogisticHead.Fit(set, scale, report.Strength);
        var time = clock.GetElapsedTime(began);
        var right = order.Except(fitted).ToLookup(i => samples.Classes[i],
            i => head.Label(vectors.AsSpan(i * width, width)) == samples.Classes[i] ? 1d : 0);
        return new Split(right.SelectMany(group => group).Average(), right.Average(group => group.Average()), report, time);
    }

    private static T[] Shuffled<T>(Random random, IEnumerable<T> all)
    {
        T[] shuffled = [.. all];
        random.Shuffle(shuffled);
        return shuffled;
    }

    private static void Row(Table table, string name, List<Split> splits, Func<Split, double> number, string form, string unit) =>
        table.AddRow([name, .. ((double[])[splits.Average(number), splits.Min(number), splits.Max(number)])
            .Select(one => one.ToString(form, CultureInfo.InvariantCulture) + unit)]);

    /// <param name="Accuracy">The share of right answers over samples that the head was not fitted to.</param>
    /// <param name="MeanRecall">The mean of each category's own share.</param>
    private sealed record Split(double Accuracy, double MeanRecall, FitReport Report, TimeSpan Time);
}
