using System.Buffers.Binary;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Models.Folders;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;
using R1Serverless.Queues.Worker;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.Images;

namespace R1Serverless.Tests.Queues.Contract;

/// <summary>Images through the queue, from a gateway to a worker with a graph that classifies them.</summary>
public abstract class ImageContract : TransportContract
{
    private const string Model = "m";

    /// <param name="excess">Bytes behind the file's end, which no decoder reads: with them it is longer than a message of some transports.</param>
    [Theory]
    [InlineData(0)]
    [InlineData(300_000)]
    public async Task An_image_is_classified_through_the_queue_as_directly(int excess)
    {
        byte[] file = [.. Pictures.Png, .. new byte[excess]];
        var path = Path.Combine(Directory.CreateTempSubdirectory("r1-image-").FullName, Model);
        using (var made = TensorFolder.Picture().With("preprocessor_config.json", """{"size":4,"resample":2,"rescale_factor":0.00392156862745098}""")
            .With("labels.txt", "red\ngreen\nblue\n"))
        {
            Directory.Move(made.Path, path);
            Directory.CreateDirectory(made.Path);
        }

        var model = ModelFolder.Open(path);
        await using LocalInference engine = new(
            [LoadedVariant.OpenAlone(model, model.Manifest.Variants[0], new RuntimeOptions { Threads = 1 }, new EngineOptions(), TimeProvider.System)]);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        QueueWorker worker = new(Worker, engine, LeaseExtensions.Served, () => default, new QueueWorkerOptions { Grace = TimeSpan.FromSeconds(1) },
            TimeProvider.System, NullLogger.Instance);
        await using QueuedInference gateway = new(Gateway, TimeProvider.System, NullLogger.Instance);
        Task[] running = [worker.RunAsync(stop.Token), gateway.ReceiveAsync(stop.Token)];
        try
        {
            foreach (var (i, prompt) in Prompts(file).Index())
            {
                InferenceRequest request = new() { Id = new RequestId($"image{i}"), Model = Model, Prompt = prompt };
                var direct = await OutputsAsync(engine, request).WaitAsync(Patience, Stop);
                var queued = await OutputsAsync(gateway, request).WaitAsync(Patience, Stop);
                Assert.Equal(direct.Select(one => (one.Name, one.Type)), queued.Select(one => (one.Name, one.Type)));
                Assert.Equal(direct.Select(one => one.Shape), queued.Select(one => one.Shape));
                Assert.Equal(direct.Select(one => one.Data.ToArray()), queued.Select(one => one.Data.ToArray()));
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(running);
            Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
        }
    }

    /// <summary>As /classify has an image, a file or a text, and as /v2 has it, a tensor.</summary>
    private static Prompt[] Prompts(byte[] file)
    {
        var length = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, file.Length);
        return
        [
            new Prompt.Texts(TextTask.Classify, [new TextInput(null, Image: file)]),
            new Prompt.Texts(TextTask.Classify, [new TextInput($"data:image/png;base64,{Convert.ToBase64String(file)}")]),
            new Prompt.Tensors([new Tensor("pixel_values", TensorType.Bytes, [1], (byte[])[.. length, .. file])]),
        ];
    }

    private static async Task<IReadOnlyList<Tensor>> OutputsAsync(IInference inference, InferenceRequest request)
    {
        ResultFold fold = new(request.Id);
        await foreach (var one in inference.RunAsync(request, Stop)) fold.Add(one);
        var result = fold.Result();
        Assert.Null(result.Error);
        Assert.NotEmpty(result.Outputs!);
        Assert.All(result.Outputs!, output => Assert.NotEqual(0, output.Data.Length));
        return result.Outputs!;
    }
}
