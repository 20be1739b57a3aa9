using System.Buffers;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Api.OpenInference;

namespace R1Serverless.Api.OpenAI;

/// <summary>Makes a call of a request of the Open Inference Protocol: of its tensors, or for a decoder of the text among them.</summary>
internal static class InferFields
{
    private const string Parameters = "parameters", BinaryOutput = "binary_data_output", Timeout = "timeout", Priority = "priority";
    private const long MicrosecondsPerWeek = 604_800_000_000;

    /// <summary>What Triton's clients send of this protocol's own accord.</summary>
    private static readonly string[] Protocol = [BinaryOutput, Timeout, Priority, "triton_enable_empty_final_response"];

    private static readonly KnownFields Fields = new([.. Protocol, "precision", "max_accuracy_drop"], [], []);

    /// <summary>A text completion's fields that are said elsewhere here, or can't be said.</summary>
    private static readonly string[] NotForDecoders = ["model", "prompt", "webhook"];

    /// <summary>The call, or null with the first fault noted.</summary>
    /// <param name="model">As the address names it.</param>
    /// <param name="isDecoder">Whether it takes text.</param>
    /// <param name="headers">As <see cref="CompletionCall"/> has them.</param>
    public static CompletionCall? Read(InferBody body, string model, bool isDecoder, InferHeaders headers, ValidationResult faults)
    {
        if (model.Length is 0 or > CompletionCall.LongestModel)
        {
            faults.Add(ApiError.ModelNotFound(model));
            return null;
        }

        var parameters = body.Parameters ?? JsonElement.Parse("{}"u8);
        RequestReader reader = new(parameters, Parameters, faults);
        if (!isDecoder) Fields.Check(reader);
        var form = new InferForm(body.Id, reader.Flag(BinaryOutput) ?? false, body.Outputs);
        var priority = reader.Integer(Priority, 0, long.MaxValue) ?? 0;
        var timeout = reader.Integer(Timeout, 0, MicrosecondsPerWeek) is > 0 and var microseconds
            ? TimeSpan.FromMicroseconds(microseconds) : (TimeSpan?)null;
        var deadline = DeadlineFields.Read(new RequestReader(JsonElement.Parse("{}"u8), "", faults), headers.Deadline);
        if (timeout is not null && deadline is not null && timeout != deadline)
            faults.Add(Timeout, $"'{Parameters}.{Timeout}' and the header {DeadlineFields.RequestHeader} differ: send one of them.");
        if (faults.First is not null) return null;
        if (isDecoder) return ReadText(body, model, parameters, headers, timeout ?? deadline, faults) is { } text
            ? text with { Api = CompletionApi.Tensors, Infer = form } : null;
        InferenceRequest request = new()
        {
            Id = RequestId.New(),
            Model = model,
            Prompt = new Prompt.Tensors(body.Inputs)
            {
                Outputs = [.. body.Outputs.Select(output => output.Name)],
                // The protocol's 1 is the highest, and 0 the usual one.
                Priority = priority == 0 ? 0 : int.MaxValue - (int)Math.Min(priority, int.MaxValue - 1),
            },
            Owner = headers.Owner,
            Deadline = timeout ?? deadline,
            Precision = PrecisionFields.Read(reader, headers.Precision, headers.UsualPrecision),
        };
        return faults.First is null
            ? new CompletionCall(CompletionApi.Tensors, request, Stream: false, IncludeUsage: false) { Infer = form } : null;
    }

    /// <summary>The outputs of a finished request: of a decoder, its answers' texts.</summary>
    public static IReadOnlyList<Tensor> Outputs(InferenceResult result) =>
        result.Outputs ?? [TextOutput([.. result.Choices.Select(choice => choice.AllText())])];

    /// <summary>A decoder's output.</summary>
    public static Tensor TextOutput(IReadOnlyList<string> answers)
    {
        ArrayBufferWriter<byte> texts = new();
        foreach (var answer in answers) ByteElements.Add(texts, Encoding.UTF8.GetBytes(answer));
        return new Tensor(ModelMetadata.TextOutput, TensorType.Bytes, [answers.Count], texts.WrittenMemory);
    }

    /// <summary>A text completion's call: the parameters are its body's fields.</summary>
    private static CompletionCall? ReadText(
        InferBody body, string model, JsonElement parameters, InferHeaders headers, TimeSpan? deadline, ValidationResult faults)
    {
        var flag = body.Inputs.FirstOrDefault(input => input is { Name: ModelMetadata.Stream, Type: TensorType.Bool, Data.Length: 1 });
        if (body.Inputs.Where(input => input != flag).ToArray()
            is not [{ Name: ModelMetadata.TextInput or ModelMetadata.Prompt, Type: TensorType.Bytes } input])
        {
            faults.Add("inputs", $"'{Truncated.Name(model)}' generates text: it takes '{ModelMetadata.TextInput}' of BYTES, and it may have "
                + $"'{ModelMetadata.Stream}', one BOOL.");
            return null;
        }

        if (body.Outputs.FirstOrDefault(output => output.Name != ModelMetadata.TextOutput) is { } other)
        {
            faults.Add("outputs", $"'{Truncated.Name(model)}' has no output '{Truncated.Name(other.Name)}'; it has '{ModelMetadata.TextOutput}'.");
            return null;
        }

        if (NotForDecoders.FirstOrDefault(name => new RequestReader(parameters, Parameters, faults).Optional(name) is not null) is { } elsewhere)
        {
            faults.Add($"{Parameters}.{elsewhere}", $"'{Parameters}.{elsewhere}' is not supported here: leave it out.", "unsupported_parameter");
            return null;
        }

        if (!TensorDataWriter.IsText(input.Data.Span))
        {
            faults.Add(input.Name, $"The input '{input.Name}' must be text in UTF-8.");
            return null;
        }

        var call = CompletionCall.Read(
            CompletionApi.Text, TextBody(model, input, flag, parameters), faults, headers.Precision, headers.UsualPrecision, owner: headers.Owner);
        if (call is null) return null;
        if (call is { Stream: true, AnswerCount: > 1 } && headers.CanStream)
            faults.Add("stream", $"A stream has one answer: one text in '{input.Name}', and 'n' 1.", "unsupported_parameter");
        else if (headers.CanStream || !call.Stream)
            return call with { Request = call.Request with { Deadline = deadline ?? call.Request.Deadline } };
        else
            faults.Add("stream", "'stream' can't be true here: the answer is one. ModelStreamInfer (gRPC) and POST /v1/completions stream.",
                "unsupported_parameter");
        return null;
    }

    /// <param name="flag">The input that says whether the answer streams; null leaves it to the parameters.</param>
    private static ReadOnlyMemory<byte> TextBody(string model, Tensor input, Tensor? flag, JsonElement parameters)
    {
        ArrayBufferWriter<byte> body = new();
        using Utf8JsonWriter json = new(body);
        json.WriteStartObject();
        json.WriteString("model", model);
        json.WriteStartArray("prompt");
        TensorDataWriter.Write(json, input, isBase64: false, isStrict: true);
        json.WriteEndArray();
        if (flag is not null) json.WriteBoolean(ModelMetadata.Stream, flag.Data.Span[0] != 0);
        foreach (var one in parameters.EnumerateObject())
        {
            if (flag is not null && one.NameEquals(ModelMetadata.Stream)) continue;
            if (!Protocol.Concat(NotForDecoders).Contains(one.Name, StringComparer.Ordinal)) one.WriteTo(json);
        }

        json.WriteEndObject();
        json.Flush();
        return body.WrittenMemory;
    }
}

/// <summary>What of a call of the Open Inference Protocol does not stand in its body.</summary>
/// <param name="Precision">The value of <see cref="PrecisionFields.RequestHeader"/>; null where it was not sent.</param>
/// <param name="Deadline">The value of <see cref="DeadlineFields.RequestHeader"/>; null where it was not sent.</param>
/// <param name="UsualPrecision">For requests that name none; null leaves it to the measurements.</param>
internal sealed record InferHeaders(string? Precision, string? Deadline, Precision? UsualPrecision, string Owner)
{
    /// <summary>Whether the answer may come in pieces.</summary>
    public bool CanStream { get; init; }
}
