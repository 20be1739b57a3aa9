using R1Serverless.Abstractions.Telemetry;
using R1Serverless.Scheduling;

namespace R1Serverless.Engine.Steps;

/// <summary>Tells what the memory for keys and values is used for, as it changes.</summary>
internal sealed class KvMemoryUse(string model, long bytesPerToken)
{
    private long _slots, _prefixes, _sequences;

    public void Observe(Scheduler scheduler)
    {
        if (!Instruments.WatchesKvMemory) return;
        var sequences = (long)(scheduler.Prefilling?.CachedLength ?? 0);
        foreach (var sequence in scheduler.Running) sequences += sequence.CachedLength;
        Set(scheduler.Memory.Tokens, scheduler.Memory.Kept, sequences);
    }

    /// <summary>Nothing is used any more.</summary>
    public void End() => Set(0, 0, 0);

    private void Set(long slots, long prefixes, long sequences)
    {
        if (slots != _slots || prefixes != _prefixes)
        {
            Instruments.OnKvMemory(model, "slots", (slots - _slots) * bytesPerToken);
            Instruments.OnKvMemory(model, "prefixes", (prefixes - _prefixes) * bytesPerToken);
        }

        if (sequences != _sequences) Instruments.OnSequenceTokens(model, sequences - _sequences);
        (_slots, _prefixes, _sequences) = (slots, prefixes, sequences);
    }
}
