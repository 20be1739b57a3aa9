using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Telemetry;
using R1Serverless.ModelLoading;

namespace R1Serverless.Tests.Hosting;

public sealed partial class DeliveredStartTests
{
    /// <summary>The engine, and what was counted since its start.</summary>
    private sealed class Started : IAsyncDisposable
    {
        private readonly Said _said;
        private readonly MeterListener _listener = new();
        private readonly ConcurrentQueue<string> _failures = [];
        private LoadedModels? _loaded;

        public Started(Said said)
        {
            _said = said;
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == Instruments.MeterName && instrument.Name == "model_swaps") listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((_, _, tags, _) =>
            {
                Dictionary<string, object?> all = new(tags.ToArray());
                if (all["outcome"] is "failed") _failures.Enqueue((string)all["model"]!);
            });
        }

        /// <summary>Measures from now on, as the product does once the models are there.</summary>
        public void Take(LoadedModels loaded)
        {
            _loaded = loaded;
            _listener.Start();
        }

        /// <summary>Lets it look at the repository from now on.</summary>
        public void Begin() => _loaded!.Begin();

        public IEnumerable<(string Version, VersionState State)> Versions(string model) =>
            _loaded!.Models().Single(one => one.Id == model).Versions.Where(one => one.State != VersionState.Retiring)
                .Select(one => (one.Version, one.State));

        /// <summary>The models with something in memory.</summary>
        public IEnumerable<string> Loaded =>
            _loaded!.Models().Where(model => model.Variants.Any(variant => variant.Loaded is not null)).Select(model => model.Id);

        public int Failures(string model) => _failures.Count(one => one == model);

        /// <summary>The version that answered; null for an error.</summary>
        public async Task<string?> AnswerAsync(string model)
        {
            InferenceRequest request = new() { Id = RequestId.New(), Model = model, Prompt = new Prompt.Text("1 + 1 ="), MaxTokens = 2 };
            await foreach (var inferenceEvent in _loaded!.Inference.RunAsync(request, None))
            {
                if (inferenceEvent is InferenceEvent.Admitted admitted) return admitted.Variant.Version;
            }

            return null;
        }

        public async Task UntilAsync(Func<bool> holds)
        {
            var began = TimeProvider.System.GetTimestamp();
            while (!holds())
            {
                Assert.True(TimeProvider.System.GetElapsedTime(began) < Patience, string.Join('\n', _said.Lines));
                await Task.Delay(20);
            }
        }

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            if (_loaded?.Inference is IAsyncDisposable engine) await engine.DisposeAsync();
        }
    }
}
