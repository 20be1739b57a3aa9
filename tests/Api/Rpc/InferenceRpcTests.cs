using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Api.Rpc;
using R1Serverless.Commands;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;
using R1Serverless.Tests.Api.OpenInference;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api.Rpc;

/// <summary>The Open Inference Protocol by gRPC, by the client that its definition gives.</summary>
public sealed class InferenceRpcTests
{
    private static readonly ServeOptions WithRpc = new() { GrpcUrls = ["http://127.0.0.1:0"] };

    [Fact]
    public async Task Raw_contents_of_any_tensor_come_back_to_the_bit()
    {
        await using var server = await TensorEcho.StartAsync(options: WithRpc);
        using var channel = Open(server);
        GRPCInferenceService.GRPCInferenceServiceClient client = new(channel);
        foreach (var type in Enum.GetValues<TensorType>())
        {
            foreach (var shape in (long[][])[[], [0, 3], [2, 3]])
            {
                var tensor = TensorGen.Random(type, shape, seed: 7);
                ModelInferRequest request = new() { ModelName = TensorEcho.Model, Id = "mine", Inputs = { Input(tensor) } };
                request.RawInputContents.Add(ByteString.CopyFrom(tensor.Data.Span));
                using var call = client.ModelInferAsync(request);
                var answer = await call;
                Assert.Equal((TensorEcho.Model, "v7", "mine"), (answer.ModelName, answer.ModelVersion, answer.Id));
                var output = Assert.Single(answer.Outputs);
                Assert.Equal((tensor.Name, TensorTypes.Name(type)), (output.Name, output.Datatype));
                Assert.Equal(shape, output.Shape);
                Assert.Equal(tensor.Data.ToArray(), Assert.Single(answer.RawOutputContents).ToByteArray());
                Assert.Equal("int8; fastest; version v7", (await call.ResponseHeadersAsync).GetValue("x-r1-variant"));
            }
        }
    }

    [Fact]
    public async Task Typed_contents_are_the_same_tensors()
    {
        var inference = TensorEcho.Inference();
        await using var server = await TensorEcho.StartAsync(inference, WithRpc);
        using var channel = Open(server);
        (string Type, InferTensorContents Contents, string Expected)[] cases =
        [
            ("BOOL", new() { BoolContents = { true, false } }, "0100"), ("INT8", new() { IntContents = { -1, 127 } }, "FF7F"),
            ("INT16", new() { IntContents = { -2, 3 } }, "FEFF0300"), ("INT32", new() { IntContents = { -2, 3 } }, "FEFFFFFF03000000"),
            ("UINT8", new() { UintContents = { 255, 1 } }, "FF01"), ("UINT32", new() { UintContents = { uint.MaxValue, 1 } }, "FFFFFFFF01000000"),
            ("INT64", new() { Int64Contents = { long.MinValue, 1 } }, "00000000000000800100000000000000"),
            ("FP32", new() { Fp32Contents = { 1, float.NaN } }, "0000803F0000C0FF"),
            ("BYTES", new() { BytesContents = { ByteString.CopyFrom(255), ByteString.Empty } }, "01000000FF00000000"),
        ];
        foreach (var (type, contents, expected) in cases)
        {
            ModelInferRequest request = new() { ModelName = TensorEcho.Model };
            request.Inputs.Add(new ModelInferRequest.Types.InferInputTensor { Name = "x", Datatype = type, Shape = { 2 }, Contents = contents });
            await new GRPCInferenceService.GRPCInferenceServiceClient(channel).ModelInferAsync(request);
            var tensor = Assert.IsType<Prompt.Tensors>(inference.Requests[^1].Prompt).Inputs.Single();
            Assert.Equal((type, expected), (type, Convert.ToHexString(tensor.Data.Span)));
        }
    }

    [Fact]
    public async Task Server_and_models_are_told()
    {
        await using var server = await TensorEcho.StartAsync(options: WithRpc);
        using var channel = Open(server);
        GRPCInferenceService.GRPCInferenceServiceClient client = new(channel);
        Assert.True((await client.ServerLiveAsync(new())).Live);
        Assert.True((await client.ServerReadyAsync(new())).Ready);
        Assert.True((await client.ModelReadyAsync(new() { Name = TensorEcho.Versioned, Version = "v7" })).Ready);
        Assert.Contains("model_repository", (await client.ServerMetadataAsync(new())).Extensions);
        var model = await client.ModelMetadataAsync(new() { Name = TensorEcho.Model });
        Assert.Equal(("FP32", "BF16"), (model.Inputs.Single().Datatype, model.Outputs[0].Datatype));
        Assert.Equal([-1, 2], model.Inputs.Single().Shape);
        Assert.Equal(3, (await client.RepositoryIndexAsync(new() { Ready = true })).Models.Count);
        await FailsAsync(StatusCode.InvalidArgument, "asked for", client.RepositoryModelLoadAsync(new() { ModelName = TensorEcho.Model }));
        await FailsAsync(StatusCode.NotFound, "not served", client.ModelReadyAsync(new() { Name = "nobody" }));
        await FailsAsync(StatusCode.NotFound, "active is v7", client.ModelReadyAsync(new() { Name = TensorEcho.Versioned, Version = "v8" }));
    }

    [Fact]
    public async Task What_is_wrong_is_said()
    {
        await using var server = await TensorEcho.StartAsync(options: WithRpc with { MaxBodyBytes = 10_000 });
        using var channel = Open(server);
        GRPCInferenceService.GRPCInferenceServiceClient client = new(channel);
        await RefusedAsync("at most 256 inputs", request => request.Inputs.Add(Enumerable.Range(0, 257).Select(i => Typed($"{i}", "INT8", [0]))));
        await RefusedAsync("FP32 is sent in fp32_contents, but int_contents has elements",
            request => request.Inputs.Add(Typed("x", "FP32", [1], new() { IntContents = { 1 } })));
        await RefusedAsync("INT64 is sent in int64_contents, but int_contents has elements",
            request => request.Inputs.Add(Typed("x", "INT64", [1], new() { Int64Contents = { 1 }, IntContents = { 1 } })));
        await RefusedAsync("must be one of", request => request.Inputs.Add(Typed("x", "fp32", [1])));
        await RefusedAsync("send raw_input_contents", request => request.Inputs.Add(Typed("x", "FP16", [1])));
        await RefusedAsync("takes 4 bytes, but 0 came", request => request.Inputs.Add(Typed("x", "FP32", [1])));
        await RefusedAsync("beyond INT8", request => request.Inputs.Add(Typed("x", "INT8", [1], new() { IntContents = { 128 } })));
        await RefusedAsync("whole numbers from 0", request => request.Inputs.Add(Typed("x", "INT8", [-1])));
        await RefusedAsync("comes twice", request => request.Inputs.Add([Typed("x", "INT8", [0]), Typed("x", "INT8", [0])]));
        await RefusedAsync("of all 1 inputs", request =>
        {
            request.Inputs.Add(Typed("x", "INT8", [0]));
            request.RawInputContents.Add([ByteString.Empty, ByteString.Empty]);
        });
        await RefusedAsync("Unknown field 'parameters.speed'", request =>
        {
            request.Inputs.Add(Typed("x", "INT8", [0]));
            request.Parameters.Add("speed", new InferParameter { Int64Param = 1 });
        });
        await RefusedAsync("no output 'q'", request =>
        {
            request.Inputs.Add(Typed("x", "INT8", [0]));
            request.Outputs.Add(new ModelInferRequest.Types.InferRequestedOutputTensor { Name = "q" });
        });
        ModelInferRequest large = new() { ModelName = TensorEcho.Model, RawInputContents = { ByteString.CopyFrom(new byte[10_000]) } };
        await FailsAsync(StatusCode.ResourceExhausted, "", client.ModelInferAsync(large));

        Task RefusedAsync(string expected, Action<ModelInferRequest> fill)
        {
            ModelInferRequest request = new() { ModelName = TensorEcho.Model };
            fill(request);
            return FailsAsync(StatusCode.InvalidArgument, expected, client.ModelInferAsync(request));
        }
    }

    [Fact]
    public async Task Keys_are_metadata_and_decoders_answer_with_text()
    {
        await using var server = await TensorEcho.StartAsync(options: WithRpc with { ApiKeys = ["secret-of-16-characters"] });
        using var channel = Open(server);
        GRPCInferenceService.GRPCInferenceServiceClient client = new(channel);
        ModelInferRequest request = new() { ModelName = TensorEcho.Decoder, Parameters = { ["max_tokens"] = new InferParameter { Int64Param = 3 } } };
        request.Inputs.Add(Typed("text_input", "BYTES", [1], new() { BytesContents = { ByteString.CopyFromUtf8("a") } }));
        await FailsAsync(StatusCode.Unauthenticated, "API key", client.ModelInferAsync(request));
        var answer = await client.ModelInferAsync(request, new Metadata { { "authorization", "Bearer secret-of-16-characters" } });
        Assert.Equal(TensorGen.Texts("answer 0"), answer.RawOutputContents.Single().ToByteArray());
    }

    [Fact]
    public async Task A_stream_answers_each_request_by_itself()
    {
        await using var server = await TensorEcho.StartAsync(options: WithRpc);
        using var channel = Open(server);
        using var stream = new GRPCInferenceService.GRPCInferenceServiceClient(channel).ModelStreamInfer();
        ModelInferRequest[] requests =
        [
            new() { Id = "tensor", ModelName = TensorEcho.Model, Inputs = { Typed("x", "INT8", [1], new() { IntContents = { 5 } }) } },
            new() { Id = "fault", ModelName = TensorEcho.Model, Inputs = { Typed("x", "INT8", [2], new() { IntContents = { 5 } }) } },
            Text("pieces", isStream: true), Text("whole", isStream: false), Text("many", isStream: true, texts: 2),
        ];
        foreach (var request in requests) await stream.RequestStream.WriteAsync(request);
        await stream.RequestStream.CompleteAsync();
        Dictionary<string, List<ModelStreamInferResponse>> seen = new(StringComparer.Ordinal);
        await foreach (var one in stream.ResponseStream.ReadAllAsync())
        {
            if (!seen.TryGetValue(one.InferResponse.Id, out var some)) seen.Add(one.InferResponse.Id, some = []);
            some.Add(one);
        }

        Assert.Equal(requests.Select(one => one.Id).Order(), seen.Keys.Order());
        // The last of each, and only the last, says so.
        Assert.All(seen.Values, some => Assert.Equal(
            some.Select((_, i) => i == some.Count - 1), some.Select(one => one.InferResponse.Parameters["triton_final_response"].BoolParam)));
        Assert.Equal([5], Assert.Single(seen["tensor"]).InferResponse.RawOutputContents.Single().ToByteArray());
        Assert.Contains("takes 2 bytes, but 1 came", Assert.Single(seen["fault"]).ErrorMessage);
        Assert.Contains("A stream has one answer", Assert.Single(seen["many"]).ErrorMessage);
        Assert.Equal([TensorGen.Texts("answer 0"), TensorGen.Texts("")],
            seen["pieces"].Select(one => one.InferResponse.RawOutputContents.Single().ToByteArray()));
        Assert.Equal(TensorGen.Texts("answer 0"), Assert.Single(seen["whole"]).InferResponse.RawOutputContents.Single().ToByteArray());
        Assert.All(seen["pieces"],
            one => Assert.Equal(("text_output", "v7"), (one.InferResponse.Outputs.Single().Name, one.InferResponse.ModelVersion)));
        await FailsAsync(StatusCode.InvalidArgument, "ModelStreamInfer", new GRPCInferenceService.GRPCInferenceServiceClient(channel)
            .ModelInferAsync(Text("unary", isStream: true)));

        static ModelInferRequest Text(string id, bool isStream, int texts = 1) => new()
        {
            Id = id, ModelName = TensorEcho.Decoder,
            Inputs =
            {
                Typed("text_input", "BYTES", [texts], new() { BytesContents = { Enumerable.Repeat(ByteString.CopyFromUtf8("a"), texts) } }),
                Typed("stream", "BOOL", [1], new() { BoolContents = { isStream } }),
            },
        };
    }

    [Fact]
    public async Task More_requests_than_are_answered_at_once_all_get_their_answers()
    {
        const int Requests = 300;
        await using var server = await TensorEcho.StartAsync(options: WithRpc);
        using var channel = Open(server);
        using var stream = new GRPCInferenceService.GRPCInferenceServiceClient(channel).ModelStreamInfer();
        var read = Task.Run(async () =>
        {
            HashSet<string> ids = new(StringComparer.Ordinal);
            await foreach (var one in stream.ResponseStream.ReadAllAsync()) ids.Add($"{one.InferResponse.Id}{one.ErrorMessage}");
            return ids;
        });
        for (var i = 0; i < Requests; i++)
            await stream.RequestStream.WriteAsync(new ModelInferRequest
            {
                Id = $"{i}", ModelName = TensorEcho.Model, Inputs = { Typed("x", "INT8", [1], new() { IntContents = { 5 } }) },
            });
        await stream.RequestStream.CompleteAsync();
        Assert.Equal(Enumerable.Range(0, Requests).Select(i => $"{i}").Order(), (await read).Order());
    }

    [Fact]
    public async Task A_graph_that_takes_nothing_is_asked_without_inputs()
    {
        await using var server = await TensorEcho.StartAsync(options: WithRpc);
        using var channel = Open(server);
        var answer = await new GRPCInferenceService.GRPCInferenceServiceClient(channel).ModelInferAsync(new() { ModelName = TensorEcho.Model });
        Assert.Empty(answer.Outputs);
        using var rest = await server.PostAsync($"/v2/models/{TensorEcho.Model}/infer", """{"inputs":[]}""");
        Assert.Equal("""{"model_name":"echo","model_version":"v7","outputs":[]}""", await rest.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_gateway_passes_tensors_on()
    {
        await using var server = await TestServer.StartApartAsync(TensorEcho.Inference(), WithRpc);
        using var channel = Open(server);
        ModelInferRequest request = new() { ModelName = TestServer.Model, Inputs = { Typed("x", "INT8", [2], new() { IntContents = { 1, 2 } }) } };
        var answer = await new GRPCInferenceService.GRPCInferenceServiceClient(channel).ModelInferAsync(request);
        Assert.Equal([1, 2], answer.RawOutputContents.Single().ToByteArray());
    }

    /// <summary>https://github.com/triton-inference-server/common/blob/main/protobuf/grpc_service.proto.</summary>
    [Fact]
    public void Names_and_numbers_are_the_protocol_s()
    {
        Assert.Equal("inference.GRPCInferenceService", GRPCInferenceService.Descriptor.FullName);
        Assert.Equal("model_name=1 model_version=2 id=3 parameters=4 inputs=5 outputs=6 raw_input_contents=7", Fields(ModelInferRequest.Descriptor));
        Assert.Equal("name=1 datatype=2 shape=3 parameters=4 contents=5", Fields(ModelInferRequest.Types.InferInputTensor.Descriptor));
        Assert.Equal("model_name=1 model_version=2 id=3 parameters=4 outputs=5 raw_output_contents=6", Fields(ModelInferResponse.Descriptor));
        Assert.Equal(
            "bool_contents=1 int_contents=2 int64_contents=3 uint_contents=4 uint64_contents=5 fp32_contents=6 fp64_contents=7 bytes_contents=8",
            Fields(InferTensorContents.Descriptor));
        Assert.Equal("bool_param=1 int64_param=2 string_param=3 double_param=4 uint64_param=5", Fields(InferParameter.Descriptor));
        Assert.Equal("name=1 versions=2 platform=3 inputs=4 outputs=5", Fields(ModelMetadataResponse.Descriptor));
        Assert.Equal("error_message=1 infer_response=2", Fields(ModelStreamInferResponse.Descriptor));

        static string Fields(Google.Protobuf.Reflection.MessageDescriptor message) =>
            string.Join(' ', message.Fields.InDeclarationOrder().Select(field => $"{field.Name}={field.FieldNumber}"));
    }

    [Fact]
    public void The_option_adds_a_port_to_every_host()
    {
        Assert.Equal(["http://127.0.0.1:9000", "http://[::1]:9000"],
            ListenAddresses.WithPort(["http://127.0.0.1:1", "http://127.0.0.1:2", "http://unix:/tmp/a.sock", "http://[::1]:3"], 9000));
        Assert.Single(ServeCommand.Create(LocalModels.LoadAsync).Parse(["--grpc-port", "70000"]).Errors);
    }

    [Theory]
    [InlineData("ModelInfer", "00000000030AFFFF", "The message is no Model")]
    [InlineData("ModelStreamInfer", "00000000030AFFFF", "The message is no Model")]
    [InlineData("ModelReady", "00000000030AFFFF", "The message is no Model")]
    [InlineData("ModelInfer", "0200000000", "A message begins with 0 or, compressed, with 1, not with 2.")]
    [InlineData("ModelStreamInfer", "FF00000000", "A message begins with 0 or, compressed, with 1, not with 255.")]
    [InlineData("ModelInfer", "0080000000", "A message says that it has 2 GiB or more.")]
    [InlineData("ModelInfer", "0100000003616263", "A message is not gzip", "gzip")]
    [InlineData("ModelStreamInfer", "0100000003616263", "A message is not gzip", "gzip")]
    [InlineData("ModelReady", "0100000003616263", "A message is not deflate", "deflate")]
    public async Task What_is_no_message_is_the_client_s_fault(string method, string frame, string expected, string encoding = "identity")
    {
        await using var server = await TensorEcho.StartAsync(options: WithRpc);
        using HttpClient client = new() { BaseAddress = new Uri(server.RpcAddress) };
        using HttpRequestMessage request = new(HttpMethod.Post, $"/inference.GRPCInferenceService/{method}")
        {
            Content = new ByteArrayContent(Convert.FromHexString(frame)),
            Version = new(2, 0), VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Content.Headers.ContentType = new("application/grpc");
        request.Headers.TE.Add(new("trailers"));
        request.Headers.Add("grpc-encoding", encoding);
        using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        var trailers = response.TrailingHeaders.Concat(response.Headers).ToDictionary(header => header.Key, header => header.Value.Single());
        Assert.Equal("3", trailers["grpc-status"]);
        Assert.StartsWith(expected, Uri.UnescapeDataString(trailers["grpc-message"]), StringComparison.Ordinal);
    }

    private static GrpcChannel Open(TestServer server) => GrpcChannel.ForAddress(server.RpcAddress);

    private static async Task FailsAsync<T>(StatusCode status, string expected, AsyncUnaryCall<T> call)
    {
        var fault = await Assert.ThrowsAsync<RpcException>(async () => await call);
        Assert.True(status == fault.StatusCode, fault.ToString());
        Assert.Contains(expected, fault.Status.Detail, StringComparison.Ordinal);
    }

    private static ModelInferRequest.Types.InferInputTensor Input(Tensor tensor) =>
        new() { Name = tensor.Name, Datatype = TensorTypes.Name(tensor.Type), Shape = { tensor.Shape } };

    private static ModelInferRequest.Types.InferInputTensor Typed(string name, string type, long[] shape, InferTensorContents? contents = null) =>
        new() { Name = name, Datatype = type, Shape = { shape }, Contents = contents };
}
