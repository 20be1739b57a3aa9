using Microsoft.ML.OnnxRuntime;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.Models.Tokenization;

namespace R1Serverless.Tests.Engine.Series;

/// <summary>Silero VAD 5, which hears whether somebody speaks, by chunks of 512 samples with the 64 before them and a state: as its authors' loop has
/// it, beside ONNX Runtime.</summary>
public sealed class SileroTests
{
    private const int Chunk = 512, Context = 64, Rate = 16_000;

    [Theory]
    [InlineData("silero_vad.onnx")]
    [InlineData("silero_vad_op18_ifless.onnx")]
    public async Task Speech_is_found_chunk_by_chunk_as_in_a_raw_loop(string weights)
    {
        using TensorFolder folder = new();
        var graph = System.IO.Path.Combine(folder.Path, "model.onnx");
        File.Copy(NodeOracle.Installed(RepositoryFiles.Path("tests", "oracles", "node_modules", "@jjhbw", "silero-vad", "weights", weights)), graph);
        folder.With("r1-series.json", """
            {"window":{"input":"input","steps":576,"stride":512,"pad":64},"inputs":{"sr":16000},"score":{"output":"output"},"threshold":0.5}
            """);
        await using var inference = SeriesInferenceTests.Open(folder, out var model);
        var samples = Voice(40 * Chunk);
        var expected = Raw(graph, samples);
        List<float> found = [];
        for (var at = 0; at < samples.Length; at += Chunk)
        {
            double[][] values = [[.. samples[at..(at + Chunk)].Select(one => (double)one)]];
            var (answer, error) = await SeriesInferenceTests.SendAsync(inference, model.Id, "call", values, at);
            Assert.Null(error);
            Assert.Equal(Chunk, answer!.Missing);
            found.Add((float)Assert.Single(answer.Decisions).Score!);
        }

        Assert.Equal(expected, found);
        // What it says depends on what it heard.
        Assert.True(found.Max() - found.Min() > 0.1, $"{found.Min()} to {found.Max()}");

        // A state that has left is made again by the whole history, in one request.
        var half = 20 * Chunk;
        double[][] history = [[.. samples[..half].Select(one => (double)one)]], rest = [[.. samples[half..].Select(one => (double)one)]];
        var (rebuilt, fault) = await SeriesInferenceTests.SendAsync(inference, model.Id, "another", rest, half, history);
        Assert.Null(fault);
        Assert.Equal(expected[20..], rebuilt!.Decisions.Select(decision => (float)decision.Score!));
    }

    /// <summary>Pulses through two resonances, as vowels are made, for a second between silences.</summary>
    private static float[] Voice(int count)
    {
        var samples = new float[count];
        var random = new Random(1);
        double phase = 0;
        for (var i = 0; i < count; i++)
        {
            var time = i / (double)Rate;
            var isVoiced = time is > 0.3 and < 1.0;
            phase += (120 + (20 * Math.Sin(6 * time))) / Rate;
            var voice = 0.0;
            for (var harmonic = 1; harmonic < 25; harmonic++)
            {
                var frequency = harmonic * 120.0;
                var gain = Math.Exp(-Math.Pow((frequency - 700) / 250, 2)) + (0.6 * Math.Exp(-Math.Pow((frequency - 1200) / 300, 2))) + 0.02;
                voice += gain * Math.Sin(2 * Math.PI * harmonic * phase);
            }

            samples[i] = (float)((isVoiced ? voice * 0.2 : 0) + ((random.NextDouble() - 0.5) * 0.002));
        }

        return samples;
    }

    private static List<float> Raw(string graph, float[] samples)
    {
        using SessionOptions threads = new() { IntraOpNumThreads = 1 };
        using InferenceSession session = new(graph, threads);
        using RunOptions options = new();
        var (state, context) = (new float[2 * 128], new float[Context]);
        List<float> found = [];
        for (var at = 0; at < samples.Length; at += Chunk)
        {
            float[] heard = [.. context, .. samples[at..(at + Chunk)]];
            using var input = OrtValue.CreateTensorValueFromMemory(heard, [1, heard.Length]);
            using var before = OrtValue.CreateTensorValueFromMemory(state, [2, 1, 128]);
            using var rate = OrtValue.CreateTensorValueFromMemory([(long)Rate], []);
            using var outputs = session.Run(options, ["input", "state", "sr"], [input, before, rate], ["output", "stateN"]);
            found.Add(outputs[0].GetTensorDataAsSpan<float>()[0]);
            state = outputs[1].GetTensorDataAsSpan<float>().ToArray();
            context = heard[^Context..];
        }

        return found;
    }
}
