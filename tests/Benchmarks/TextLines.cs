using System.Runtime.InteropServices;
using R1Serverless.Abstractions.Tensors;
using SkiaSharp;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>A picture of a line of text, as recognition of texts reads it.</summary>
/// <param name="Text">What stands there.</param>
/// <param name="Width">In pixels.</param>
/// <param name="Levels">Red, green and blue planes of <see cref="TextLines.Height"/> times the width, 0 to 255.</param>
internal sealed record TextLine(string Text, int Width, byte[] Levels)
{
    /// <summary>[1, 3, height, width] from -1 to 1, with white noise added that is cut off at 0 and 255 and rounded, as in a stored
    /// picture.</summary>
    /// <param name="sigma">Of 255.</param>
    public Tensor Input(string name, double sigma, int seed)
    {
        Random random = new(seed);
        var values = new float[Levels.Length];
        for (var i = 0; i < values.Length; i++)
        {
            var noise = sigma == 0 ? 0
                : sigma * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            values[i] = ((float)Math.Clamp(Math.Round(Levels[i] + noise), 0, 255) / 127.5f) - 1;
        }

        return new Tensor(name, TensorType.Float32, [1, 3, TextLines.Height, Width], MemoryMarshal.AsBytes<float>(values).ToArray());
    }
}

/// <summary>Lines of words and numbers in several fonts, sizes, inks and papers; the same ones for the same seed.</summary>
internal static class TextLines
{
    public const int Height = 48;

    private const int Widest = 640, LeastSize = 12, GreatestSize = 40;

    private static readonly string[] Words =
    [
        "invoice", "Total", "amount", "due", "within", "thirty", "days", "of", "delivery", "Order", "number", "shipped", "to", "Street", "Avenue",
        "please", "return", "this", "slip", "with", "your", "payment", "Customer", "service", "open", "Monday", "through", "Friday", "tax", "net",
        "weight", "grams", "quantity", "price", "each", "balance", "forward", "account", "holder", "signature", "date", "valid", "until", "March",
        "October", "temperature", "pressure", "engine", "sensor", "reading", "warning", "station", "platform", "departure", "gate", "window", "seat",
        "Passenger", "ticket", "copy", "original", "receipt", "thank", "you", "for", "shopping", "fresh", "bread", "cheese", "apples", "water",
    ];

    /// <param name="fonts">A folder of TrueType fonts.</param>
    /// <exception cref="InvalidDataException">It has none.</exception>
    public static IReadOnlyList<TextLine> Draw(string fonts, int count, int seed)
    {
        string[] files = [.. Directory.EnumerateFiles(fonts, "*.ttf", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        if (files.Length == 0) throw new InvalidDataException($"{fonts} holds no fonts (*.ttf).");
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => Draw(files[random.Next(files.Length)], random))];
    }

    private static TextLine Draw(string file, Random random)
    {
        using var typeface = SKTypeface.FromFile(file) ?? throw new InvalidDataException($"{file} is no font.");
        using SKFont font = new(typeface, random.Next(LeastSize, GreatestSize + 1)) { Edging = SKFontEdging.Antialias };
        var paper = random.Next(190, 256);
        var ink = random.Next(0, 110);
        var tint = random.Next(-20, 21);
        var margin = font.Size / 3;
        var height = (int)Math.Ceiling(font.Size * 1.45);
        var text = Text(random, text => (font.MeasureText(text) + (2 * margin)) * Height / height <= Widest);
        using SKBitmap drawn = new((int)Math.Ceiling(font.MeasureText(text) + (2 * margin)), height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        using (SKCanvas canvas = new(drawn))
        using (SKPaint paint = new() { IsAntialias = true, Color = Color(ink, tint) })
        {
            canvas.Clear(Color(paper, tint));
            canvas.DrawText(text, margin, font.Size * 1.1f, SKTextAlign.Left, font, paint);
        }

        SKImageInfo size = new(Math.Max(1, drawn.Width * Height / height), Height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        using var line = drawn.Resize(size, new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear));
        var pixels = line.GetPixelSpan();
        var plane = line.Width * Height;
        var levels = new byte[3 * plane];
        for (var i = 0; i < plane; i++)
        {
            var at = (i / line.Width * line.RowBytes) + (i % line.Width * 4);
            for (var channel = 0; channel < 3; channel++) levels[(channel * plane) + i] = pixels[at + channel];
        }

        return new TextLine(text, line.Width, levels);
    }

    private static SKColor Color(int level, int tint) =>
        new((byte)Math.Clamp(level + tint, 0, 255), (byte)level, (byte)Math.Clamp(level - tint, 0, 255));

    /// <summary>Two to five words and numbers, as many as fit.</summary>
    private static string Text(Random random, Predicate<string> fits)
    {
        var text = Word(random);
        for (var more = random.Next(1, 5); more > 0; more--)
        {
            var next = $"{text} {Word(random)}";
            if (fits(next)) text = next;
        }

        return text;
    }

    private static string Word(Random random) => random.Next(10) switch
    {
        0 => $"{random.Next(1, 2500)}",
        1 => $"{random.Next(1, 400)}.{random.Next(10, 100)}",
        2 => $"{random.Next(1, 29)}/{random.Next(1, 13)}/{random.Next(1990, 2030)}",
        _ => Words[random.Next(Words.Length)],
    };
}
