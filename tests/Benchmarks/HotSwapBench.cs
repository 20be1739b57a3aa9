using System.Diagnostics;
using System.Text.Json;
using R1Serverless.Bench;
using R1Serverless.ModelRegistry;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>
/// A server in a process of its own, streams that follow one another without a pause, and versions that change under them: a good one, one whose
/// graph is damaged, one whose evaluation is too poor, and the first again. Every gap between two pieces of text of one stream is counted to the
/// phase in which it ended.
/// </summary>
internal sealed class HotSwapBench(ModelFolder model, HotSwapOptions options, TimeProvider time, Action<string> progress)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(25), Patience = TimeSpan.FromMinutes(2);

    private readonly Lock _gate = new();
    private HotSwapPhase _phase = new("steady");

    public async Task<HotSwapReport> RunAsync(CancellationToken cancellation)
    {
        using var work = new TemporaryFolder();
        var repository = await RepositoryAddress.Parse(Path.Combine(work.Path, "repository")).CreateAsync(time, cancellation);
        await PushAsync(repository, model, "1", activate: true, cancellation);
        await using var server = await R1Server.StartAsync(
            options.Executable, ["--models-from", repository.Description, "--model", model.Name, "--models-poll", "1", "--device", options.Device],
            ChildProcess.NoSettings, time, cancellation);
        using var handler = new SocketsHttpHandler { MaxConnectionsPerServer = int.MaxValue };
        using var client = new HttpClient(handler) { BaseAddress = server.Address, Timeout = Timeout.InfiniteTimeSpan };
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var streams = Enumerable.Range(0, options.Streams).Select(one => StreamAsync(client, one, end)).ToArray();
        List<HotSwapPhase> phases = [_phase];
        try
        {
            await PauseAsync(cancellation);
            await ChangeAsync("to 2", () => PushAsync(repository, model, "2", activate: true, cancellation), "2", "active");
            await ChangeAsync("damaged 3",
                () => PushAsync(repository, ChangedModel.Damage(model, Path.Combine(work.Path, "damaged")), "3", activate: true, cancellation), "3",
                "failed");
            await ChangeAsync("poor 4",
                () => PushAsync(repository, ChangedModel.Spoil(model, Path.Combine(work.Path, "poor"), options.Device), "4", activate: true,
                cancellation), "4", "failed");
            await ChangeAsync("back to 1", () => repository.ActivateAsync(model.Name, "1", "bench", time.GetUtcNow(), cancellation), "1", "active");
        }
        finally
        {
            await end.CancelAsync();
            await Task.WhenAll(streams).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return new HotSwapReport(model.Name, options.Streams, [.. phases.Select(phase => phase.Row())]);

        async Task ChangeAsync(string name, Func<Task> change, string version, string state)
        {
            progress(name);
            var next = new HotSwapPhase(name);
            lock (_gate) _phase = next;
            phases.Add(next);
            await change();
            var began = time.GetTimestamp();
            next.Reason = await UntilAsync(client, version, state, began, cancellation);
            next.SwapTime = time.GetElapsedTime(began);
            await PauseAsync(cancellation);
        }
    }

    private async Task PushAsync(SharedRepository repository, ModelFolder folder, string version, bool activate, CancellationToken cancellation)
    {
        await new VersionPush(repository, time).RunAsync(folder, version, "bench", progress: null, cancellation);
        if (activate) await repository.ActivateAsync(model.Name, version, "bench", time.GetUtcNow(), cancellation);
    }

    /// <summary>Requests one after another, until told to end; those of the end don't count.</summary>
    private async Task StreamAsync(HttpClient client, int number, CancellationTokenSource end)
    {
        var door = new HttpLoadClient(client, model.Name);
        var prompt = LoadShape.Uniform(1, 1, options.PromptTokens, 1).Prompt(number);
        for (var round = 0; !end.IsCancellationRequested; round++)
        {
            HotSwapPhase began;
            lock (_gate) began = _phase;
            var last = Stopwatch.GetTimestamp();
            var isFirst = true;
            try
            {
                // Of different lengths, so that they don't all end at once.
                await door.SendAsync(prompt, options.OutputTokens + number * 7 % options.OutputTokens, OnText, end.Token);
                lock (_gate) began.Requests++;
            }
            catch (Exception fault) when (!end.IsCancellationRequested)
            {
                lock (_gate) began.Failures.Add(fault.Message);
            }
            catch (Exception) when (end.IsCancellationRequested)
            {
                return;
            }

            void OnText()
            {
                var now = Stopwatch.GetTimestamp();
                lock (_gate) (isFirst ? _phase.Firsts : _phase.Gaps).Add(Stopwatch.GetElapsedTime(last, now).TotalMilliseconds);
                (last, isFirst) = (now, false);
            }
        }
    }

    /// <summary>Until the server says that of the version; gives the reason that it has for it.</summary>
    private async Task<string?> UntilAsync(HttpClient client, string version, string state, long began, CancellationToken cancellation)
    {
        while (time.GetElapsedTime(began) < Patience)
        {
            using var listed = JsonDocument.Parse(await client.GetStringAsync(new Uri($"v1/models/{model.Name}", UriKind.Relative), cancellation));
            foreach (var one in listed.RootElement.GetProperty("versions").EnumerateArray())
            {
                if (one.GetProperty("version").GetString() == version && one.GetProperty("state").GetString() == state)
                    return one.TryGetProperty("reason", out var reason) ? reason.GetString() : null;
            }

            await Task.Delay(Look, time, cancellation);
        }

        throw new BenchException($"Version {version} was not {state} after {Patience.TotalMinutes:0} minutes.");
    }

    private Task PauseAsync(CancellationToken cancellation) => Task.Delay(options.Pause, time, cancellation);
}
