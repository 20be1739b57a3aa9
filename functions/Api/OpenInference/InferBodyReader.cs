using System.Text.Json;
using System.Text.Unicode;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Api.OpenInference;

/// <summary>Reads the body of POST /v2/models/{model}/infer: JSON, and behind it the tensors that come as binary data. Tensors in JSON are read as
/// they come, without a document of their numbers.</summary>
internal sealed partial class InferBodyReader
{
    private const int MaxDepth = 64;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = MaxDepth };

    private readonly List<Tensor> _inputs = [];
    private readonly List<RequestedOutput> _outputs = [];
    private readonly Memory<byte> _body;
    private readonly int _jsonLength;
    private ReadOnlyMemory<byte> _binary;
    private string? _id;
    private JsonElement? _parameters;
    private string? _fault;

    private InferBodyReader(Memory<byte> body, int jsonLength) => (_body, _jsonLength, _binary) = (body, jsonLength, body[jsonLength..]);

    /// <summary>The request, or null with the fault in words for the client.</summary>
    /// <param name="body">Is written to where it has NaN or Infinity; binary tensors are slices of it.</param>
    /// <param name="jsonLength">Bytes of JSON at its beginning, at most all of it.</param>
    public static InferBody? Read(Memory<byte> body, int jsonLength, out string? fault)
    {
        InferBodyReader reader = new(body, jsonLength);
        try
        {
            if (!Utf8.IsValid(body.Span[..jsonLength])) reader._fault = "The body must be JSON in UTF-8.";
            else reader.ReadAll();
        }
        catch (JsonException malformed)
        {
            reader._fault = $"The body is not valid JSON (or nested deeper than {MaxDepth}) at line {malformed.LineNumber + 1}, byte "
                + $"{malformed.BytePositionInLine + 1}.";
        }
        catch (InvalidOperationException)
        {
            reader._fault ??= "The body has a text that is no Unicode: a \\u escape that is half of a surrogate pair, or NaN where a text belongs.";
        }

        fault = reader._fault;
        return fault is null ? new InferBody(reader._id, reader._parameters, reader._inputs, reader._outputs) : null;
    }

    private void ReadAll()
    {
        var text = _body.Span[.._jsonLength];
        NonFiniteNumbers.Quote(text);
        Utf8JsonReader json = new(text, Options);
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            _fault = "The body must be a JSON object.";
            return;
        }

        List<string> seen = [];
        while (_fault is null && json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var name = json.GetString()!;
            if (IsRepeated(seen, name, name)) break;
            json.Read();
            switch (name)
            {
                case "id":
                    _id = ReadText(ref json, "'id'");
                    break;
                case "parameters":
                    _parameters = ReadParameters(ref json, "'parameters'");
                    break;
                case "inputs":
                    ReadInputs(ref json);
                    break;
                case "outputs":
                    ReadOutputs(ref json);
                    break;
                // The address names it; clients may name it here too.
                case "model_name" or "model_version":
                    json.Skip();
                    break;
                default:
                    _fault = $"Unknown field '{InferLimits.Shorten(name)}': a request has 'id', 'parameters', 'inputs' and 'outputs'.";
                    break;
            }
        }

        if (_fault is not null) return;
        // Throws where something follows.
        json.Read();
        // Empty for a graph that takes nothing.
        if (!seen.Contains("inputs")) _fault = "'inputs' must be an array of tensors.";
        else if (_binary.Length > 0)
            _fault = $"The body has {_binary.Length} bytes more of binary data than the inputs' 'binary_data_size' say.";
    }

    private void ReadInputs(ref Utf8JsonReader json)
    {
        if (!IsArray(ref json, "inputs")) return;
        while (_fault is null && json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            var at = $"inputs[{_inputs.Count}]";
            if (_inputs.Count == InferLimits.Tensors) _fault = $"'inputs' may have at most {InferLimits.Tensors} tensors.";
            else if (IsObject(ref json, at)) ReadInput(ref json, at);
        }
    }

    private void ReadInput(ref Utf8JsonReader json, string at)
    {
        string? name = null, type = null;
        List<long>? shape = null;
        JsonElement? parameters = null;
        // A place to come back to: what the data mean may stand behind them.
        Utf8JsonReader data = default;
        var hasData = false;
        List<string> seen = [];
        while (_fault is null && json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var field = json.GetString()!;
            if (IsRepeated(seen, field, $"{at}.{field}")) break;
            json.Read();
            switch (field)
            {
                case "name":
                    name = ReadText(ref json, $"'{at}.name'");
                    break;
                case "datatype":
                    type = ReadText(ref json, $"'{at}.datatype'");
                    break;
                case "shape":
                    shape = ReadShape(ref json, at);
                    break;
                case "parameters":
                    parameters = ReadParameters(ref json, $"'{at}.parameters'");
                    break;
                case "data":
                    data = json;
                    hasData = true;
                    json.Skip();
                    break;
                default:
                    _fault = $"Unknown field '{at}.{InferLimits.Shorten(field)}': an input has 'name', 'datatype', 'shape', 'parameters' and 'data'.";
                    break;
            }
        }

        if (_fault is not null) return;
        if (string.IsNullOrEmpty(name))
        {
            _fault = $"'{at}.name' is required.";
            return;
        }

        var input = $"The input '{InferLimits.Shorten(name)}'";
        var size = InputParameters(parameters, input);
        if (_fault is not null) return;
        if (_inputs.Exists(other => other.Name == name)) _fault = $"{input} comes twice.";
        else if (type is null) _fault = $"{input} needs its 'datatype', one of {string.Join(", ", TensorTypes.Names)}.";
        else if (TensorTypes.Find(type) is not { } found)
            _fault = $"{input}: 'datatype' must be one of {string.Join(", ", TensorTypes.Names)}, not '{InferLimits.Shorten(type)}'.";
        else if (shape is null) _fault = $"{input} needs its 'shape', an array of dimensions.";
        else if (hasData == size is not null) _fault = $"{input} needs either 'data', or 'binary_data_size' among its 'parameters'.";
        else if ((hasData ? ReadData(ref data, found, shape, input) : TakeBinary(size!.Value, input)) is { } content)
            Add(new Tensor(name, found, shape, content), input);
    }

    private void Add(Tensor tensor, string input)
    {
        if (tensor.Misfit() is { } misfit) _fault = $"{input}: {misfit}.";
        else _inputs.Add(tensor);
    }

    private ReadOnlyMemory<byte>? ReadData(ref Utf8JsonReader data, TensorType type, List<long> shape, string input)
    {
        var content = TensorDataReader.Read(ref data, type, shape, _jsonLength, out var fault);
        if (fault is not null) _fault = $"{input}: {fault}.";
        return content;
    }

    private ReadOnlyMemory<byte>? TakeBinary(long size, string input)
    {
        if (size > _binary.Length)
        {
            _fault = $"{input}: 'binary_data_size' is {size}, but behind the JSON there are {_binary.Length} bytes that no input before it takes; "
                + "the header Inference-Header-Content-Length says where the JSON ends.";
            return null;
        }

        var content = _binary[..(int)size];
        _binary = _binary[(int)size..];
        return content;
    }

    /// <summary>The bytes of the input behind the JSON; null where none are.</summary>
    private long? InputParameters(JsonElement? parameters, string input)
    {
        long? size = null;
        if (parameters is null) return null;
        foreach (var one in parameters.Value.EnumerateObject())
        {
            if (one.NameEquals("binary_data_size"))
            {
                if (one.Value.ValueKind == JsonValueKind.Number && one.Value.TryGetInt64(out var bytes) && bytes >= 0) size = bytes;
                else _fault = $"{input}: 'binary_data_size' must be a number of bytes.";
            }
            else
            {
                _fault = $"{input}: the parameter '{InferLimits.Shorten(one.Name)}' is not supported; inputs may have 'binary_data_size'.";
            }
        }

        return size;
    }
}
