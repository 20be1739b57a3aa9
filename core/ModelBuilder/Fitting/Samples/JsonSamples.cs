using System.Text.Json;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Fitting.Samples;

/// <summary>Samples as JSON lines: <c>{"text": …, "label": …}</c>, <c>{"image": …, "label": …}</c> with the name of a file, or
/// <c>{"values": […], "label": …}</c> where values is a list of numbers, or of lists of numbers for a window, its oldest step first.</summary>
/// <param name="folder">What names of pictures are relative to.</param>
internal sealed class JsonSamples(SampleFields fields, string folder)
{
    private readonly string _content = Content(fields);

    public SampleSet Read(TextReader reader, CancellationToken cancellation)
    {
        var (texts, pictures, numbers) = (new TextCollection(), new PictureCollection(folder, isOfFolders: false), new NumberCollection());
        for (var line = 1; reader.ReadLine() is { } content; line++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (string.IsNullOrWhiteSpace(content)) continue;
            using var document = Parse(content, line);
            Check(document.RootElement, line);
            var label = Label(document.RootElement, line);
            var value = Field(document.RootElement, _content, line);
            if (!fields.IsSingle) Add(numbers, line, label, value);
            else if (value.ValueKind != JsonValueKind.String)
                throw new InvalidDataException(
                    $"line {line}: '{_content}' must be "
                    + $"{(fields.Kind == SampleKind.Texts ? "a text" : "the name of a file, relative to this one")}.");
            else if (fields.Kind == SampleKind.Texts) texts.Add(line, _content, value.GetString()!, label);
            else pictures.Add(line, value.GetString()!, label);
        }

        return fields.Kind switch
        {
            SampleKind.Texts => texts.ToSamples(),
            SampleKind.Pictures => pictures.ToSamples(),
            _ => numbers.ToSamples([]),
        };
    }

    private static string Content(SampleFields fields)
    {
        fields.CheckColumns();
        return fields.Columns.Count == 0 ? fields.Usual : fields.IsSingle ? fields.Columns[0]
            : throw new InvalidDataException($"columns are those of a table; in JSON lines numbers stand in '{fields.Usual}'.");
    }

    private static JsonDocument Parse(string content, int line)
    {
        try
        {
            return JsonText.ParseLine(content);
        }
        catch (JsonException fault)
        {
            throw new InvalidDataException($"line {line} is not valid JSON: {fault.Message}", fault);
        }
        catch (InvalidDataException fault)
        {
            throw new InvalidDataException($"line {line}{fault.Message}", fault);
        }
    }

    private void Check(JsonElement sample, int line)
    {
        if (fields.Columns.Count > 0) return;
        foreach (var field in sample.EnumerateObject().Where(field => field.Name != _content && field.Name != fields.Label))
        {
            throw new InvalidDataException(Misfit(field.Name) is { } misfit ? $"line {line}: '{field.Name}' {misfit}."
                : $"line {line}: '{field.Name}' is neither '{_content}' nor '{fields.Label}'.");
        }
    }

    /// <summary>What a field of another kind of sample would need; null for other fields.</summary>
    private static string? Misfit(string field) =>
        field == SampleFields.UsualOf(SampleKind.Texts) ? "needs an encoder that makes vectors of texts: name one with --encoder"
        : field == SampleFields.UsualOf(SampleKind.Pictures) ? "needs an encoder that makes vectors of images: name one with --encoder"
        : field == SampleFields.UsualOf(SampleKind.Numbers) ? "needs no encoder: leave out --encoder" : null;

    private static JsonElement Field(JsonElement sample, string name, int line) =>
        sample.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value
            : throw new InvalidDataException($"line {line}: '{name}' is missing.");

    private string Label(JsonElement sample, int line)
    {
        var label = Field(sample, fields.Label, line) switch
        {
            { ValueKind: JsonValueKind.String } text => text.GetString()!,
            { ValueKind: JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False } other => other.GetRawText(),
            _ => throw new InvalidDataException($"line {line}: '{fields.Label}' must be a text, a number, true or false."),
        };
        return label.Length > 0 ? label : throw new InvalidDataException($"line {line}: '{fields.Label}' is empty.");
    }

    private static void Add(NumberCollection numbers, int line, string label, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() == 0)
            throw new InvalidDataException($"line {line}: 'values' must be a list of numbers, or of lists of numbers for a window.");
        JsonElement[] all = [.. value.EnumerateArray()];
        if (!Array.Exists(all, one => one.ValueKind == JsonValueKind.Array))
        {
            numbers.Add(line, label, [all.Length],
                [.. all.Select((one, i) => one.ValueKind == JsonValueKind.Null ? float.NaN : Number(one, line, $"[{i}]"))]);
            return;
        }

        if (Array.FindIndex(all, step => step.ValueKind != JsonValueKind.Array || step.GetArrayLength() == 0) is >= 0 and var bare)
            throw new InvalidDataException($"line {line}: 'values[{bare}]' must be a list of numbers, as the steps beside it are.");
        var width = all[0].GetArrayLength();
        if (Array.FindIndex(all, step => step.GetArrayLength() != width) is >= 0 and var odd)
            throw new InvalidDataException($"line {line}: 'values[{odd}]' has {all[odd].GetArrayLength()} numbers, but 'values[0]' has {width}.");
        numbers.Add(line, label, [all.Length, width],
            [.. all.SelectMany((step, i) => step.EnumerateArray().Select((one, j) => Number(one, line, $"[{i}][{j}]")))]);
    }

    private static float Number(JsonElement value, int line, string place) =>
        value.ValueKind == JsonValueKind.Number && SampleFile.Number(value.GetRawText()) is { } number ? number
            : throw new InvalidDataException($"line {line}: 'values{place}' must be a number that float32 can hold, but is {value.GetRawText()}.");
}
