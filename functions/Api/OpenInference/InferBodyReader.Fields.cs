using System.Text.Json;
using R1Serverless.Models;

namespace R1Serverless.Api.OpenInference;

/// <summary>Outputs that are asked for, and fields of any part.</summary>
internal sealed partial class InferBodyReader
{
    private void ReadOutputs(ref Utf8JsonReader json)
    {
        if (json.TokenType == JsonTokenType.Null) return;
        if (!IsArray(ref json, "outputs")) return;
        while (_fault is null && json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            var at = $"outputs[{_outputs.Count}]";
            if (_outputs.Count == InferLimits.Tensors) _fault = $"'outputs' may name at most {InferLimits.Tensors} tensors.";
            else if (IsObject(ref json, at)) ReadOutput(ref json, at);
        }
    }

    private void ReadOutput(ref Utf8JsonReader json, string at)
    {
        string? name = null;
        bool? isBinary = null;
        List<string> seen = [];
        while (_fault is null && json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var field = json.GetString()!;
            if (IsRepeated(seen, field, $"{at}.{field}")) break;
            json.Read();
            if (field == "name") name = ReadText(ref json, $"'{at}.name'");
            else if (field == "parameters") isBinary = OutputParameters(ReadParameters(ref json, $"'{at}.parameters'"), at);
            else _fault = $"Unknown field '{at}.{InferLimits.Shorten(field)}': an output has 'name' and 'parameters'.";
        }

        if (_fault is not null) return;
        if (string.IsNullOrEmpty(name)) _fault = $"'{at}.name' is required.";
        else if (_outputs.Exists(other => other.Name == name)) _fault = $"The output '{InferLimits.Shorten(name)}' is asked for twice.";
        else _outputs.Add(new RequestedOutput(name, isBinary));
    }

    private bool? OutputParameters(JsonElement? parameters, string at)
    {
        bool? isBinary = null;
        if (parameters is null) return null;
        foreach (var one in parameters.Value.EnumerateObject())
        {
            if (!one.NameEquals("binary_data"))
                _fault = $"'{at}': the parameter '{InferLimits.Shorten(one.Name)}' is not supported; outputs may have 'binary_data'.";
            else if (one.Value.ValueKind is JsonValueKind.True or JsonValueKind.False) isBinary = one.Value.GetBoolean();
            else _fault = $"'{at}': 'binary_data' must be true or false.";
        }

        return isBinary;
    }

    private List<long>? ReadShape(ref Utf8JsonReader json, string at)
    {
        if (!IsArray(ref json, $"{at}.shape")) return null;
        List<long> shape = [];
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (shape.Count == InferLimits.Rank)
            {
                _fault = $"'{at}.shape' may have at most {InferLimits.Rank} dimensions.";
                return null;
            }

            if (json.TokenType != JsonTokenType.Number || !json.TryGetInt64(out var dimension) || dimension < 0)
            {
                _fault = $"'{at}.shape' must be whole numbers from 0: a request says each dimension.";
                return null;
            }

            shape.Add(dimension);
        }

        return shape;
    }

    private JsonElement? ReadParameters(ref Utf8JsonReader json, string at)
    {
        if (json.TokenType == JsonTokenType.Null) return null;
        if (json.TokenType != JsonTokenType.StartObject)
        {
            _fault = $"{at} must be an object.";
            return null;
        }

        var parameters = JsonElement.ParseValue(ref json);
        foreach (var one in parameters.EnumerateObject())
        {
            if (one.Value.ValueKind is JsonValueKind.Object or JsonValueKind.Array)
                _fault = $"{at}: '{InferLimits.Shorten(one.Name)}' must be a string, a number or a boolean.";
            // The first throws here, and not where it is used, if the name is no Unicode.
            if (one.Name.Length > 0 && one.Value.ValueKind == JsonValueKind.String && TextFault(one.Value) is { } words)
                _fault ??= $"{at}: '{InferLimits.Shorten(one.Name)}' {words}.";
        }

        if (_fault is null && JsonText.RepeatedField(parameters) is { } twice) _fault = $"{at} has '{twice}' twice.";
        return parameters;
    }

    /// <summary>Why a string is none, in words to say behind its name; null where it is one.</summary>
    private static string? TextFault(JsonElement text)
    {
        if (NonFiniteNumbers.Quoted(text) is { } number) return $"can't be {number}: a finite number is expected";
        try
        {
            _ = text.GetString();
            return null;
        }
        catch (InvalidOperationException)
        {
            return "is no Unicode: it has a \\u escape that is half of a surrogate pair";
        }
    }

    /// <summary>Notes a field of an object, and the fault where it came before: of two, one would be passed over.</summary>
    /// <param name="at">Its place in the body.</param>
    private bool IsRepeated(List<string> seen, string field, string at)
    {
        if (!seen.Contains(field, StringComparer.Ordinal))
        {
            seen.Add(field);
            return false;
        }

        _fault = $"The body has '{InferLimits.Shorten(at)}' twice.";
        return true;
    }

    private string? ReadText(ref Utf8JsonReader json, string at)
    {
        if (json.TokenType == JsonTokenType.String && json.ValueSpan.Length <= InferLimits.Name * 6 && json.GetString() is { } text
            && text.Length <= InferLimits.Name) return text;
        if (json.TokenType != JsonTokenType.Null) _fault = $"{at} must be a string of at most {InferLimits.Name} characters.";
        return null;
    }

    private bool IsArray(ref Utf8JsonReader json, string at)
    {
        if (json.TokenType != JsonTokenType.StartArray) _fault = $"'{at}' must be an array.";
        return _fault is null;
    }

    private bool IsObject(ref Utf8JsonReader json, string at)
    {
        if (json.TokenType != JsonTokenType.StartObject) _fault = $"'{at}' must be an object.";
        return _fault is null;
    }
}
