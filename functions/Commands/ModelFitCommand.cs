using System.CommandLine;
using System.Globalization;
using R1Serverless.ModelBuilder.Fitting;
using R1Serverless.ModelBuilder.Fitting.Samples;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 model fit</c>: from labelled samples to a classifier of texts, pictures, rows of numbers or windows.</summary>
internal static class ModelFitCommand
{
    private const string Teaches = """
        Fit a classifier to labelled samples: 50 are enough to begin with. It is judged by samples that it was not fitted on, and saved as a model
        that `r1 serve` serves like any other: texts and images at /classify, numbers at /v2/models/NAME/infer.

        Texts need an encoder, which makes vectors of them, such as all-MiniLM-L6-v2:
          r1 model fit tickets.jsonl --encoder ./all-MiniLM-L6-v2      {"text": "The invoice is wrong", "label": "billing"}
        So do pictures: a folder for each label, or lines with names of files, relative to the file of samples:
          r1 model fit ./stamps --encoder ./resnet18                   stamps/animals/cat.png, stamps/food/pear.jpg
          r1 model fit stamps.jsonl --encoder ./resnet18               {"image": "stamps/cat.png", "label": "animals"}
        Rows of numbers need none:
          r1 model fit loans.csv --label outcome                       age,income,outcome
          r1 model fit rows.jsonl                                      {"values": [34, 1200.5, null], "label": "yes"}
        Windows are several steps of the same numbers, the oldest first:
          r1 model fit windows.jsonl                                   {"values": [[0.1, 3], [0.2, 4], [0.4, 4]], "label": "fault"}
        """;

    private static readonly Argument<FileInfo> Samples = new("samples")
    {
        Description = "JSON lines, a table whose first line names the columns (CSV; tabs and semicolons do too), or a folder with a folder of "
            + "pictures for each label.",
    };

    private static readonly Option<string?> Encoder = new("--encoder")
    {
        Description = "Makes vectors of texts or of images: a model's name in the data folder, or its folder.", HelpName = "MODEL",
    };

    private static readonly Option<string> Label = new("--label")
    {
        Description = "The field or column with the label.", HelpName = "NAME", DefaultValueFactory = _ => "label",
    };

    private static readonly Option<string[]> Columns = new("--columns")
    {
        Description = "The columns that are taken, as a list with commas or one by one; others are passed over. Of texts or pictures the one that "
            + "holds them. [default: all columns; of texts: text; of pictures: image]",
        HelpName = "LIST",
    };

    private static readonly Option<bool> Truncate = new("--truncate")
    {
        Description = "Cut texts that are longer than the encoder reads, instead of refusing them.",
    };

    private static readonly Option<DirectoryInfo?> Output = new("--output")
    {
        Description = "The folder to make. Default: the model's name in the data folder.", HelpName = "DIR",
    };

    private static readonly Option<string?> Name = new("--name")
    {
        Description = "The model's name. Default: the last part of the output, else of the samples' file.", HelpName = "NAME",
    };

    public static Command Create()
    {
        Command command = new("fit", Teaches) { Samples, Encoder, Label, Columns, Truncate, Output, CommonOptions.Data, Name };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var (file, output, repository) = (arguments.GetRequiredValue(Samples).FullName, CommonOptions.Folder(arguments.GetValue(Output)),
            CommonOptions.Models(arguments));
        // First: what can't be had is told before the samples are read.
        var encoder = arguments.GetValue(Encoder) is { } named ? ModelPrepareCommand.Find(named, repository) : null;
        var samples = SampleFile.Read(file, new SampleFields
        {
            Kind = encoder is null ? SampleKind.Numbers : IsOfTexts(encoder) ? SampleKind.Texts : SampleKind.Pictures,
            Label = arguments.GetRequiredValue(Label),
            Columns = [.. (arguments.GetValue(Columns) ?? [])
                .SelectMany(list => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))],
        }, cancellation);
        var name = arguments.GetValue(Name) ?? ModelName.Of(output ?? (Directory.Exists(file) ? file : Path.ChangeExtension(file, null)));
        var target = output ?? repository.FolderOf(name);
        FitOptions options = new() { Truncates = arguments.GetValue(Truncate) };
        var fit = await AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(context => ModelFitter.FitAsync(
                samples, encoder, target, name, TimeProvider.System, options, new Bars(context), cancellation));
        FitPrinter.Write(fit.Report, TableConsole.Create(isJson: false));
        foreach (var note in fit.Notes) Console.WriteLine(DisplayFormat.Text(note));
        var size = fit.Manifest.Variants.Sum(variant => variant.Bytes);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"Fitted {name}: {samples.Count} samples, {samples.Labels.Count} labels, {DisplayFormat.Bytes(size)}; vectors in "
            + $"{fit.EncodeTime.TotalSeconds:0.00} s, head in {fit.FitTime.TotalSeconds:0.00} s"));
        Console.WriteLine($"  in     {Path.GetFullPath(target)}");
        Console.WriteLine($"  serve  r1 serve --model {(target == DataFolder.Repository(null).FolderOf(name) ? name : Path.GetFullPath(target))}");
        return 0;
    }

    /// <summary>Whether its graph takes texts, be it one that can't be served. What takes neither texts nor images may be an encoder of images that
    /// lacks a file, which is told where pictures are read by it.</summary>
    private static bool IsOfTexts(ModelFolder encoder) =>
        encoder is { Images: null, ImageRefusal: null } and not { Encoder: null, EncoderRefusal: null };

    /// <summary>One bar per piece of work, in the order in which they begin.</summary>
    private sealed class Bars(ProgressContext context) : IProgress<FitProgress>
    {
        private readonly Lock _gate = new();
        private readonly Dictionary<string, ProgressTask> _bars = new(StringComparer.Ordinal);

        public void Report(FitProgress value)
        {
            lock (_gate)
            {
                if (!_bars.TryGetValue(value.Work, out var bar)) _bars.Add(value.Work, bar = context.AddTask(value.Work, maxValue: value.Total));
                bar.Value = value.Done;
            }
        }
    }
}
