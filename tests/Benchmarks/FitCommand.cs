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

/// <summary><c>bench fit</c>: how many answers are right of a head that was fitted to a few texts of each category, over texts that it has not
/// seen.</summary>
internal static class FitCommand
{
    private static readonly Option<DirectoryInfo> Folder = new("--wordnet")
    {
        Description = "The folder with WordNet's data.noun, as Debian's wordnet-base has it.", HelpName = "DIR",
        DefaultValueFactory = _ => new DirectoryInfo("/usr/share/wordnet"),
    };

    private static readonly Option<int> Each = NumberOption.Create("--samples", 10, 2, 100, "Texts of each category that a head is fitted to.");

    private static readonly Option<int> Splits = NumberOption.Create("--splits", 10, 1, 1000, "How often others are drawn.");

    private static readonly Option<int> Texts = NumberOption.Create("--texts", 200, 20, 2000, "Texts of each category, those for the fit included.");

    public static Command Create()
    {
        Command command = new("fit",
            "Fit heads to few texts of five categories (MiniLM-L6 over WordNet's glosses) and count right answers over the other texts.")
        {
            Folder, Each, Splits, Texts,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(
            arguments.GetRequiredValue(Folder).FullName, arguments.GetValue(Each), arguments.GetValue(Splits), arguments.GetValue(Texts),
            cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(string folder, int each, int splits, int count, CancellationToken cancellation)
    {
        var samples = Draw(WordNet.Read(folder), count);
        var clock = TimeProvider.System;
        var began = clock.GetTimestamp();
        var work = Directory.CreateTempSubdirectory("r1-fit-");
        var vectors = await new EncoderVectors(samples, ModelFolder.Open(MiniLm.Path), truncates: false)
            .ReadAsync(work.FullName, new Progress<int>(), cancellation);
        work.Delete(recursive: true);
        var encoded = clock.GetElapsedTime(began);
        List<Split> results = [.. Enumerable.Range(0, splits).Select(seed => Measure(samples, vectors, each, seed, clock, cancellation))];
        Table table = new() { Border = TableBorder.Simple };
        table.AddColumn("");
        foreach (var column in (string[])["mean", "least", "greatest"]) table.AddColumn(new TableColumn(column).RightAligned());
        Row(table, "right, other texts", results, one => one.Accuracy * 100, "0.0", " %");
        Row(table, "right, as the fit expected", results, one => one.Report.Accuracy * 100, "0.0", " %");
        Row(table, "within the fit's interval", results,
            one => one.Accuracy >= one.Report.Low && one.Accuracy <= one.Report.High ? 100 : 0, "0", " %");
        Row(table, "strength", results, one => one.Report.Strength, "0.##", "");
        Row(table, "fit", results, one => one.Time.TotalMilliseconds, "0", " ms");
        var console = TableConsole.Create(isJson: false);
        console.Write(table);
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{splits} draws of {each} texts of each of {samples.Labels.Count} categories; {samples.Count - (each * samples.Labels.Count)} other "
            + $"texts. Vectors of {samples.Count} texts: {encoded.TotalSeconds:0.0} s, the load included."));
        return 0;
    }

    private static TextSamples Draw(IReadOnlyList<(string Text, string Label)> glosses, int count)
    {
        Random random = new(8);
        var drawn = glosses.DistinctBy(gloss => gloss.Text).GroupBy(gloss => gloss.Label).OrderBy(group => group.Key, StringComparer.Ordinal)
            .SelectMany(group => Shuffled(random, group).Take(count)).ToArray();
        return new TextSamples([.. Enumerable.Range(1, drawn.Length)], [.. drawn.Select(one => one.Label)], [.. drawn.Select(one => one.Text)], []);
    }

    private static Split Measure(TextSamples samples, float[] vectors, int each, int seed, TimeProvider clock, CancellationToken cancellation)
    {
        var width = vectors.Length / samples.Count;
        Random random = new(seed);
        var order = Shuffled(random, Enumerable.Range(0, samples.Count));
        int[] fitted = [.. order.GroupBy(i => samples.Classes[i]).SelectMany(group => group.Take(each))];
        var began = clock.GetTimestamp();
        float[] own = [.. fitted.SelectMany(i => vectors.AsMemory(i * width, width).ToArray())];
        var scale = VectorScale.Of(own, width, isByColumn: false);
        var set = scale.Apply(own, [.. fitted.Select(i => samples.Classes[i])], samples.Labels.Count);
        var report = CrossValidation.Run(set, samples.Labels, tried: null, cancellation);
        var head = LogisticHead.Fit(set, scale, report.Strength);
        var time = clock.GetElapsedTime(began);
        var accuracy = order.Except(fitted).Average(i => head.Label(vectors.AsSpan(i * width, width)) == samples.Classes[i] ? 1d : 0);
        return new Split(accuracy, report, time);
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

    private sealed record Split(double Accuracy, FitReport Report, TimeSpan Time);
}
