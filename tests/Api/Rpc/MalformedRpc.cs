using System.Buffers.Binary;
using Google.Protobuf;
using R1Serverless.Api.Rpc;
using R1Serverless.Tests.Api.OpenInference;

namespace R1Serverless.Tests.Api.Rpc;

/// <summary>Messages of ModelInfer whose contents are of other lengths, types and shapes than they say, some of them no message at all.</summary>
internal static class MalformedRpc
{
    private static readonly string[] Types = ["FP32", "BYTES", "INT64", "FP16", "BF16", "BOOL", "fp32", "", "UINT8"];

    private static readonly long[] Dimensions = [0, 1, 2, -1, long.MaxValue, long.MinValue, 1L << 40];

    /// <summary>A message, which is the same for the same state of the generator.</summary>
    public static ModelInferRequest Next(Random random, string model)
    {
        ModelInferRequest request = new() { ModelName = random.Next(10) == 0 ? "nobody" : model, Id = random.Next(10) == 0 ? new string('i', 2000) : "" };
        if (random.Next(10) == 0) request.ModelVersion = "v9";
        if (random.Next(5) == 0) request.Parameters.Add("timeout", new InferParameter { Int64Param = random.Next(2) == 0 ? -1 : long.MaxValue });
        if (random.Next(5) == 0) request.Parameters.Add("priority", new InferParameter { DoubleParam = double.NaN });
        foreach (var name in (string[])["x", "y", "z", "text_input"])
        {
            ModelInferRequest.Types.InferInputTensor input = new()
            {
                Name = random.Next(10) == 0 ? "" : name, Datatype = Types[random.Next(Types.Length)],
            };
            for (var rank = random.Next(4); rank > 0; rank--) input.Shape.Add(Dimensions[random.Next(Dimensions.Length)]);
            if (random.Next(3) == 0) input.Contents = new InferTensorContents { IntContents = { 1, 2 }, BytesContents = { ByteString.CopyFrom(1, 2) } };
            if (random.Next(10) == 0) input.Parameters.Add("shared_memory_region", new InferParameter { StringParam = "a" });
            request.Inputs.Add(input);
            if (random.Next(6) > 0) request.RawInputContents.Add(ByteString.CopyFrom(Bytes(random)));
        }

        if (random.Next(4) == 0) request.Outputs.Add(new ModelInferRequest.Types.InferRequestedOutputTensor { Name = random.Next(2) == 0 ? "" : "q" });
        return request;
    }

    /// <summary>The frame that carries it: its length, and the message, which may be cut or flipped.</summary>
    /// <param name="isMessage">Whether it is what it says; a frame that is not is refused by the library.</param>
    public static byte[] Frame(ModelInferRequest request, Random random, out bool isMessage)
    {
        var message = request.ToByteArray();
        isMessage = random.Next(8) > 0;
        if (!isMessage) message = MalformedRequest.Mutate(message, random);
        var frame = new byte[5 + message.Length];
        frame[0] = !isMessage && random.Next(4) == 0 ? (byte)random.Next(256) : (byte)0;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length + (!isMessage && random.Next(3) == 0 ? random.Next(-5, 5) : 0));
        message.CopyTo(frame, 5);
        return frame;
    }

    private static byte[] Bytes(Random random)
    {
        var bytes = new byte[random.Next(20)];
        random.NextBytes(bytes);
        return bytes;
    }
}
