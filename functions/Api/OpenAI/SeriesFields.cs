using System.Text.Json;
using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>Reads calls of POST /v1/series: the next events of one series.</summary>
internal static class SeriesFields
{
    public const string Values = "values";

    private const string Key = "key", Sequence = "sequence", History = "history", Threshold = "threshold", Outputs = "outputs";

    private const int LongestKey = 256, MaxOutputs = 256, MaxEvents = 1 << 20;

    private static readonly KnownFields Fields = new(
        ["model", Key, Values, Sequence, History, Threshold, Outputs, "precision", "max_accuracy_drop", "deadline"], ["user", "metadata"], []);

    /// <summary>The call, or null with the first fault noted.</summary>
    /// <param name="headers">What does not stand in the body.</param>
    public static CompletionCall? Read(ReadOnlyMemory<byte> body, InferHeaders headers, ValidationResult faults)
    {
        using var document = RequestBody.Parse(body, faults, isStrict: true);
        if (document is null) return null;
        RequestReader reader = new(document.RootElement, "", faults);
        Fields.Check(reader);
        var model = CompletionCall.ReadModel(reader, null);
        var key = ReadKey(reader.Required(Key) is { } named ? reader.TextOf(named, Key) : null, faults);
        var events = reader.Required(Values) is { } values ? ReadEvents(reader, values, Values) : null;
        if (events is []) faults.Add(Values, $"'{Values}' must not be empty.");
        Prompt.Series prompt = new(key ?? "", events ?? [])
        {
            Sequence = reader.Integer(Sequence, 0, long.MaxValue / 2),
            History = reader.Optional(History) is { } history ? ReadEvents(reader, history, History) : null,
            Threshold = reader.Double(Threshold, double.MinValue, double.MaxValue),
            Outputs = ReadOutputs(reader),
        };
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = model, Prompt = prompt, Owner = headers.Owner, Deadline = DeadlineFields.Read(reader, headers.Deadline),
            Precision = PrecisionFields.Read(reader, headers.Precision, headers.UsualPrecision),
        };
        return faults.First is null ? new CompletionCall(CompletionApi.Series, request, Stream: false, IncludeUsage: false) : null;
    }

    /// <summary>The call to forget a series, or null with the fault noted.</summary>
    public static CompletionCall? ReadRemoval(string key, string? model, string owner, ValidationResult faults)
    {
        if (model is not { Length: > 0 and <= CompletionCall.LongestModel })
            faults.Add("model", "The address must name the series' model: ?model=ID.", "missing_required_parameter");
        if (ReadKey(key, faults) is null || faults.First is not null) return null;
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = model!, Prompt = new Prompt.Series(key, []) { IsRemoval = true }, Owner = owner,
        };
        return new CompletionCall(CompletionApi.Series, request, Stream: false, IncludeUsage: false);
    }

    /// <summary>Why a request can't be left to whichever worker is free, each of which keeps the series that came to it; null where it
    /// can.</summary>
    public static InferenceError? Refusal(InferenceRequest request) => request.Prompt switch
    {
        Prompt.Series { IsRemoval: true } => new(
            InferenceErrorKind.InvalidRequest,
            "Series are kept by the workers, each those that came to it, and can't be removed here: begin another key; this one leaves by itself.",
            Key),
        Prompt.Series { Sequence: null } => new(
            InferenceErrorKind.InvalidRequest,
            "'sequence', the number of the first event, is needed here: requests go to whichever worker is free, which has to know whether it has "
            + "the events before.", Sequence),
        _ => null,
    };

    private static string? ReadKey(string? key, ValidationResult faults)
    {
        if (key is not ({ Length: 0 or > LongestKey } or "." or ".." or null) && !key.Any(char.IsControl)) return key;
        // What can't stand in an address can't be forgotten by one.
        if (key is not null)
            faults.Add(Key,
                $"'{Key}' must be a text of 1 to {LongestKey} characters that names the series, without control characters, and not '.' or '..'.");
        return null;
    }

    /// <summary>A number, one event's numbers, or a list of such.</summary>
    private static List<IReadOnlyList<double>>? ReadEvents(RequestReader reader, JsonElement value, string at)
    {
        if (value.ValueKind == JsonValueKind.Number) return ReadNumber(reader, value, at) is { } number ? [(double[])[number]] : null;
        if (value.ValueKind != JsonValueKind.Array)
        {
            reader.WrongType(at, "a number, a list of numbers, or a list of such lists", value);
            return null;
        }

        var count = value.GetArrayLength();
        if (count == 0) return [];
        if (value[0].ValueKind != JsonValueKind.Array) return ReadEvent(reader, value, at) is { } only ? [only] : null;
        if (count > MaxEvents)
        {
            reader.Faults.Add(at, $"'{at}' has {count} events; send at most {MaxEvents} in one request.");
            return null;
        }

        List<IReadOnlyList<double>> events = new(count);
        foreach (var one in value.EnumerateArray())
        {
            if (one.ValueKind != JsonValueKind.Array) reader.WrongType($"{at}[{events.Count}]", "a list of numbers", one);
            if (one.ValueKind != JsonValueKind.Array || ReadEvent(reader, one, $"{at}[{events.Count}]") is not { } read) return null;
            events.Add(read);
        }

        return events;
    }

    private static double[]? ReadEvent(RequestReader reader, JsonElement list, string at)
    {
        var numbers = new double[list.GetArrayLength()];
        var i = 0;
        foreach (var one in list.EnumerateArray())
        {
            if (one.ValueKind == JsonValueKind.Number && one.TryGetDouble(out var number) && double.IsFinite(number))
            {
                numbers[i++] = number;
                continue;
            }

            _ = ReadNumber(reader, one, $"{at}[{i}]");
            return null;
        }

        return numbers;
    }

    private static double? ReadNumber(RequestReader reader, JsonElement value, string at)
    {
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number)) return number;
        if (value.ValueKind == JsonValueKind.Number) reader.Faults.Add(at, $"'{at}' is beyond what a number can be.");
        else reader.WrongType(at, "a number", value);
        return null;
    }

    private static List<string> ReadOutputs(RequestReader reader)
    {
        if (reader.Optional(Outputs) is not { } list) return [];
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() > MaxOutputs
            || list.EnumerateArray().Any(one => one.ValueKind != JsonValueKind.String))
        {
            reader.Faults.Add(Outputs, $"'{Outputs}' must be a list of at most {MaxOutputs} names of the model's outputs.");
            return [];
        }

        return [.. list.EnumerateArray().Select(one => one.GetString()!).Distinct(StringComparer.Ordinal)];
    }
}
