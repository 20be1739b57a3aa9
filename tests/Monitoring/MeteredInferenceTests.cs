using System.Diagnostics.Metrics;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Telemetry;
using R1Serverless.Monitoring;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Monitoring;

/// <summary>How requests are counted, by their ends. Each test asks for a model of its own, since measures are the process's.</summary>
public sealed class MeteredInferenceTests
{
    [Fact]
    public async Task An_answer_is_counted_with_its_tokens()
    {
        var measured = await MeasureAsync(FakeInference.Thoughtful(), "metered-answer");
        Assert.Contains("inference_requests 1 outcome=Finished", measured);
        Assert.Contains("gen_ai.client.token.usage 5 gen_ai.token.type=input", measured);
        Assert.Contains("gen_ai.client.token.usage 4 gen_ai.token.type=output", measured);
        Assert.Single(measured, line => line.StartsWith("gen_ai.server.time_to_first_token ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_failure_is_counted_by_its_kind()
    {
        var engine = FakeInference.Of(
            new InferenceEvent.Admitted(5, FakeInference.Variant),
            new InferenceEvent.Failed(new InferenceError(InferenceErrorKind.OutOfMemory, "It does not fit.")));
        var measured = await MeasureAsync(engine, "metered-failure");
        Assert.Contains("inference_requests 1 outcome=Failed", measured);
        Assert.Contains(measured,
            line => line.StartsWith("gen_ai.server.request.duration ", StringComparison.Ordinal)
            && line.EndsWith(" error.type=OutOfMemory", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_whose_client_has_gone_is_counted_as_cancelled()
    {
        var measured = await MeasureAsync(FakeInference.Thoughtful(), "metered-cancelled", most: 2);
        Assert.Contains("inference_requests 1 outcome=Cancelled", measured);
    }

    private static async Task<List<string>> MeasureAsync(IInference engine, string model, int most = int.MaxValue)
    {
        List<string> measured = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, heard) =>
        {
            if (instrument.Meter.Name == Instruments.MeterName) heard.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.Start();
        InferenceRequest request = new() { Id = RequestId.New(), Model = model, Prompt = new Prompt.Text("6 * 7 =") };
        await foreach (var _ in new MeteredInference(engine, TimeProvider.System).RunAsync(request, CancellationToken.None))
        {
            if (--most == 0) break;
        }

        return measured;

        void Add<T>(Instrument instrument, T value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var known = tags.ToArray();
            if (!known.Contains(new(InferenceInstruments.Model, model))) return;
            measured.Add(
                $"{instrument.Name} {value} {string.Join(' ', known.Where(tag => tag.Key is "outcome" or "error.type" or "gen_ai.token.type").Select(tag => $"{tag.Key}={tag.Value}"))}");
        }
    }
}
