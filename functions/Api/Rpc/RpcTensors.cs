using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Collections;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Api.OpenInference;

namespace R1Serverless.Api.Rpc;

/// <summary>Requests and tensors between gRPC's messages and this server's own form.</summary>
internal static class RpcTensors
{
    /// <summary>The request, or null with the fault in words for the client. Raw contents are not copied.</summary>
    public static InferBody? Read(ModelInferRequest request, out string? fault)
    {
        var isRaw = request.RawInputContents.Count > 0;
        List<Tensor> inputs = new(Math.Min(request.Inputs.Count, InferLimits.Tensors));
        fault = request.Inputs.Count > InferLimits.Tensors ? $"A request has at most {InferLimits.Tensors} inputs."
            : request.Outputs.Count > InferLimits.Tensors ? $"A request may ask for at most {InferLimits.Tensors} outputs."
            : isRaw && request.RawInputContents.Count != request.Inputs.Count
            ? $"raw_input_contents must be those of all {request.Inputs.Count} inputs, not of {request.RawInputContents.Count}."
            : request.Id.Length > InferLimits.Name ? $"'id' must be a string of at most {InferLimits.Name} characters." : null;
        HashSet<string> names = new(StringComparer.Ordinal);
        for (var i = 0; fault is null && i < request.Inputs.Count; i++)
        {
            var input = request.Inputs[i];
            fault = !names.Add(input.Name) ? $"The input '{InferLimits.Shorten(input.Name)}' comes twice."
                : Read(input, isRaw ? request.RawInputContents[i] : null, inputs) is { } misfit
                ? $"The input '{InferLimits.Shorten(input.Name)}': {misfit}." : null;
        }

        names.Clear();
        foreach (var output in request.Outputs)
        {
            fault ??= output.Name.Length is 0 or > InferLimits.Name || !names.Add(output.Name)
                ? $"The output '{InferLimits.Shorten(output.Name)}' has no name, or is asked for twice."
                : output.Parameters.Count > 0
                ? $"The output '{InferLimits.Shorten(output.Name)}': the parameter '{InferLimits.Shorten(output.Parameters.Keys.First())}' is not "
                + "supported."
                : null;
        }

        return fault is not null ? null : new InferBody(
            request.Id.Length == 0 ? null : request.Id, Parameters(request.Parameters), inputs,
            [.. request.Outputs.Select(output => new RequestedOutput(output.Name, null))]);
    }

    /// <summary>The answer to a request, its outputs as raw contents.</summary>
    /// <param name="version">Null for a model without versions.</param>
    public static ModelInferResponse Response(ModelInferRequest request, string? version, IReadOnlyList<Tensor> outputs)
    {
        ModelInferResponse response = new() { ModelName = request.ModelName, ModelVersion = version ?? "", Id = request.Id };
        foreach (var output in outputs)
        {
            response.Outputs.Add(new ModelInferResponse.Types.InferOutputTensor
            {
                Name = output.Name, Datatype = TensorTypes.Name(output.Type), Shape = { output.Shape },
            });
            response.RawOutputContents.Add(UnsafeByteOperations.UnsafeWrap(output.Data));
        }

        return response;
    }

    private static string? Read(ModelInferRequest.Types.InferInputTensor input, ByteString? raw, List<Tensor> inputs)
    {
        if (input.Name.Length is 0 or > InferLimits.Name) return $"an input's name has 1 to {InferLimits.Name} characters";
        if (input.Parameters.Count > 0) return $"the parameter '{InferLimits.Shorten(input.Parameters.Keys.First())}' is not supported";
        if (TensorTypes.Find(input.Datatype) is not { } type)
            return $"'datatype' must be one of {string.Join(", ", TensorTypes.Names)}, not '{InferLimits.Shorten(input.Datatype)}'";
        if (input.Shape.Count > InferLimits.Rank) return $"'shape' may have at most {InferLimits.Rank} dimensions";
        if (input.Shape.Any(dimension => dimension < 0)) return "'shape' must be whole numbers from 0: a request says each dimension";
        if (raw is not null && input.Contents is { } both && both.CalculateSize() > 0)
            return "its contents came twice, typed and raw";
        if (raw is null && type is TensorType.Float16 or TensorType.BFloat16)
            return $"{TensorTypes.Name(type)} has no typed contents: send raw_input_contents";
        if (raw is null && input.Contents is { } typed && Misplaced(type, typed) is { } misplaced) return misplaced;
        if ((raw?.Memory ?? Typed(type, input.Contents ?? new InferTensorContents())) is not { } data)
            return $"an element of its contents is beyond {TensorTypes.Name(type)}";
        Tensor tensor = new(input.Name, type, [.. input.Shape], data);
        if (tensor.Misfit() is { } misfit) return misfit;
        inputs.Add(tensor);
        return null;
    }

    /// <summary>Null where an element is beyond the type, which the contents hold wider.</summary>
    private static ReadOnlyMemory<byte>? Typed(TensorType type, InferTensorContents contents) => type switch
    {
        TensorType.Bool => Pack(contents.BoolContents, 1, static (at, one) => at[0] = one ? (byte)1 : (byte)0),
        TensorType.Int8 or TensorType.Int16 or TensorType.Int32 => PackNarrow(contents.IntContents, type),
        TensorType.UInt8 or TensorType.UInt16 or TensorType.UInt32 => PackNarrow(contents.UintContents, type),
        TensorType.Int64 => Pack(contents.Int64Contents, sizeof(long), BinaryPrimitives.WriteInt64LittleEndian),
        TensorType.UInt64 => Pack(contents.Uint64Contents, sizeof(ulong), BinaryPrimitives.WriteUInt64LittleEndian),
        TensorType.Float32 => Pack(contents.Fp32Contents, sizeof(float), BinaryPrimitives.WriteSingleLittleEndian),
        TensorType.Float64 => Pack(contents.Fp64Contents, sizeof(double), BinaryPrimitives.WriteDoubleLittleEndian),
        _ => PackTexts(contents.BytesContents),
    };

    /// <summary>Why contents are not where the type's are looked for; null where they are.</summary>
    private static string? Misplaced(TensorType type, InferTensorContents contents)
    {
        (string Field, int Count)[] fields =
        [
            ("bool_contents", contents.BoolContents.Count), ("int_contents", contents.IntContents.Count),
            ("int64_contents", contents.Int64Contents.Count), ("uint_contents", contents.UintContents.Count),
            ("uint64_contents", contents.Uint64Contents.Count), ("fp32_contents", contents.Fp32Contents.Count),
            ("fp64_contents", contents.Fp64Contents.Count), ("bytes_contents", contents.BytesContents.Count),
        ];
        var own = type switch
        {
            TensorType.Bool => "bool_contents",
            TensorType.Int8 or TensorType.Int16 or TensorType.Int32 => "int_contents",
            TensorType.UInt8 or TensorType.UInt16 or TensorType.UInt32 => "uint_contents",
            TensorType.Int64 => "int64_contents",
            TensorType.UInt64 => "uint64_contents",
            TensorType.Float32 => "fp32_contents",
            TensorType.Float64 => "fp64_contents",
            _ => "bytes_contents",
        };
        return Array.Find(fields, field => field.Count > 0 && field.Field != own).Field is { } other
            ? $"{TensorTypes.Name(type)} is sent in {own}, but {other} has elements" : null;
    }

    private delegate void PutElement<T>(Span<byte> at, T element);

    private static ReadOnlyMemory<byte> Pack<T>(RepeatedField<T> elements, int size, PutElement<T> put)
    {
        var content = new byte[elements.Count * size];
        for (var i = 0; i < elements.Count; i++) put(content.AsSpan(i * size, size), elements[i]);
        return content;
    }

    /// <summary>Null where an element is beyond the type.</summary>
    private static ReadOnlyMemory<byte>? PackNarrow<T>(RepeatedField<T> elements, TensorType type)
        where T : IBinaryInteger<T>
    {
        var size = TensorTypes.Size(type);
        var content = new byte[elements.Count * size];
        Span<byte> whole = stackalloc byte[sizeof(int)];
        for (var (i, beyond) = (0, 8 * (sizeof(int) - size)); i < elements.Count; i++)
        {
            if (elements[i] << beyond >> beyond != elements[i]) return null;
            elements[i].WriteLittleEndian(whole);
            whole[..size].CopyTo(content.AsSpan(i * size));
        }

        return content;
    }

    private static ReadOnlyMemory<byte> PackTexts(RepeatedField<ByteString> texts)
    {
        ArrayBufferWriter<byte> content = new();
        foreach (var text in texts) ByteElements.Add(content, text.Span);
        return content.WrittenMemory;
    }

    private static JsonElement? Parameters(MapField<string, InferParameter> parameters)
    {
        if (parameters.Count == 0) return null;
        ArrayBufferWriter<byte> text = new();
        using (Utf8JsonWriter json = new(text))
        {
            json.WriteStartObject();
            foreach (var (name, value) in parameters)
            {
                json.WritePropertyName(name);
                switch (value.ParameterChoiceCase)
                {
                    case InferParameter.ParameterChoiceOneofCase.BoolParam:
                        json.WriteBooleanValue(value.BoolParam);
                        break;
                    case InferParameter.ParameterChoiceOneofCase.Int64Param:
                        json.WriteNumberValue(value.Int64Param);
                        break;
                    case InferParameter.ParameterChoiceOneofCase.Uint64Param:
                        json.WriteNumberValue(value.Uint64Param);
                        break;
                    case InferParameter.ParameterChoiceOneofCase.StringParam:
                        json.WriteStringValue(value.StringParam);
                        break;
                    case InferParameter.ParameterChoiceOneofCase.DoubleParam when double.IsFinite(value.DoubleParam):
                        json.WriteNumberValue(value.DoubleParam);
                        break;
                    case InferParameter.ParameterChoiceOneofCase.DoubleParam:
                        json.WriteStringValue(NonFiniteNumbers.Word(value.DoubleParam));
                        break;
                    default:
                        json.WriteNullValue();
                        break;
                }
            }

            json.WriteEndObject();
        }

        return JsonElement.Parse(text.WrittenSpan);
    }
}
