using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Google.Protobuf;
using Grpc.Core;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Api.Rpc;

namespace R1Serverless.Tests.Conformance;

/// <summary>Asks a server's model over the same tensors by JSON, by binary data and by gRPC.</summary>
internal sealed partial class ThreeProtocols(HttpClient http, GRPCInferenceService.GRPCInferenceServiceClient rpc)
{
    private const string Length = "Inference-Header-Content-Length";

    public static IReadOnlyList<string> Names { get; } = ["REST JSON", "REST binary", "gRPC"];

    /// <summary>The outputs, or why there are none.</summary>
    /// <param name="protocol">Its place in <see cref="Names"/>.</param>
    public async Task<(IReadOnlyList<Tensor>? Outputs, string? Fault)> AskAsync(int protocol, string model, IReadOnlyList<Tensor> inputs,
        CancellationToken stop)
    {
        try
        {
            return (await (protocol switch
            {
                0 => JsonAsync(model, inputs, stop),
                1 => BinaryAsync(model, inputs, stop),
                _ => RpcAsync(model, inputs, stop),
            }), null);
        }
        catch (Exception fault) when (fault is InvalidDataException or RpcException)
        {
            return (null, fault is RpcException { Status.Detail: var words } ? words : fault.Message);
        }
    }

    private async Task<IReadOnlyList<Tensor>> JsonAsync(string model, IReadOnlyList<Tensor> inputs, CancellationToken stop)
    {
        var list = string.Join(',', inputs.Select(input => $"{Head(input)},\"data\":[{Elements(input)}]}}"));
        using StringContent body = new($"{{\"inputs\":[{list}]}}", Encoding.UTF8, "application/json");
        var (_, answer) = await PostAsync(model, body, stop);
        var text = Encoding.UTF8.GetString(answer);
        // Words that JSON has not, where no text could have them by itself.
        if (!text.Contains("\"BYTES\"", StringComparison.Ordinal)) text = NonFinite().Replace(text, "\"$0\"");
        using var document = JsonDocument.Parse(text);
        return [.. document.RootElement.GetProperty("outputs").EnumerateArray().Select(output => JsonTensors.Read(output))];
    }

    private async Task<IReadOnlyList<Tensor>> BinaryAsync(string model, IReadOnlyList<Tensor> inputs, CancellationToken stop)
    {
        var list = string.Join(',', inputs.Select(input => $"{Head(input)},\"parameters\":{{\"binary_data_size\":{input.Data.Length}}}}}"));
        var header = Encoding.UTF8.GetBytes($"{{\"inputs\":[{list}],\"parameters\":{{\"binary_data_output\":true}}}}");
        using ByteArrayContent body = new([.. header, .. inputs.SelectMany(input => input.Data.ToArray())]);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        body.Headers.Add(Length, header.Length.ToString(CultureInfo.InvariantCulture));
        var (jsonLength, answer) = await PostAsync(model, body, stop);
        using var document = JsonDocument.Parse(answer.AsMemory(0, jsonLength));
        List<Tensor> outputs = [];
        foreach (var output in document.RootElement.GetProperty("outputs").EnumerateArray())
        {
            var size = output.GetProperty("parameters").GetProperty("binary_data_size").GetInt32();
            outputs.Add(JsonTensors.Named(output, answer.AsMemory(jsonLength, size)));
            jsonLength += size;
        }

        return jsonLength == answer.Length ? outputs : throw new InvalidDataException("The answer has more than its JSON says.");
    }

    private async Task<IReadOnlyList<Tensor>> RpcAsync(string model, IReadOnlyList<Tensor> inputs, CancellationToken stop)
    {
        ModelInferRequest request = new() { ModelName = model };
        foreach (var input in inputs)
        {
            request.Inputs.Add(new ModelInferRequest.Types.InferInputTensor
            {
                Name = input.Name, Datatype = TensorTypes.Name(input.Type), Shape = { input.Shape },
            });
            request.RawInputContents.Add(ByteString.CopyFrom(input.Data.Span));
        }

        var answer = await rpc.ModelInferAsync(request, cancellationToken: stop);
        return [.. answer.Outputs.Select((output, i) =>
            new Tensor(output.Name, TensorTypes.Find(output.Datatype)!.Value, output.Shape, answer.RawOutputContents[i].Memory))];
    }

    /// <exception cref="InvalidDataException">It is refused.</exception>
    private async Task<(int JsonLength, byte[] Answer)> PostAsync(string model, HttpContent body, CancellationToken stop)
    {
        using var response = await http.PostAsync(new Uri($"/v2/models/{model}/infer", UriKind.Relative), body, stop);
        var answer = await response.Content.ReadAsByteArrayAsync(stop);
        if (!response.IsSuccessStatusCode) throw new InvalidDataException($"{(int)response.StatusCode}: {Encoding.UTF8.GetString(answer)}");
        return (response.Headers.TryGetValues(Length, out var length) ? int.Parse(length.Single(), CultureInfo.InvariantCulture) : answer.Length, answer);
    }

    /// <summary>An input's object up to its content.</summary>
    private static string Head(Tensor input) =>
        $"{{\"name\":{JsonSerializer.Serialize(input.Name)},\"datatype\":\"{TensorTypes.Name(input.Type)}\",\"shape\":[{string.Join(',', input.Shape)}]";

    private static string Elements(Tensor input)
    {
        List<string> elements = [];
        if (input.Type == TensorType.Bytes)
        {
            for (var rest = input.Data; rest.Length > 0;)
                elements.Add(JsonSerializer.Serialize(Encoding.UTF8.GetString(ByteElements.Take(ref rest).Span)));
        }
        else
        {
            var size = TensorTypes.Size(input.Type);
            for (var at = 0; at < input.Data.Length; at += size) elements.Add(JsonTensors.Element(input.Type, input.Data.Span.Slice(at, size)));
        }

        return string.Join(',', elements);
    }

    [GeneratedRegex("(?<=[\\[,])(NaN|-?Infinity)(?=[\\],])", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex NonFinite();
}
