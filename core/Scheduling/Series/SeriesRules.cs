namespace R1Serverless.Scheduling.Series;

/// <summary>How far a series is: its events are numbered from 0.</summary>
/// <param name="Next">The number of the event that comes next.</param>
/// <param name="Last">The request that was taken last.</param>
public sealed record SeriesProgress(long Next, SeriesRequest Last);

/// <summary>The events of one request.</summary>
/// <param name="First">The number of the first of them.</param>
/// <param name="Count">At least 1.</param>
/// <param name="Digest">Equal for requests with the same values.</param>
public sealed record SeriesRequest(long First, int Count, string Digest);

/// <summary>What is to be done with a request.</summary>
public enum SeriesVerdict
{
    /// <summary>It begins a series.</summary>
    Begin,

    /// <summary>It follows what is kept.</summary>
    Continue,

    /// <summary>It follows the history that it brings.</summary>
    Rebuild,

    /// <summary>It came twice: the answer is the one it had.</summary>
    Repeat,

    /// <summary>What came before is not here.</summary>
    Missing,

    /// <summary>Its events were taken already, with other values or in another division.</summary>
    Passed,

    /// <summary>It brings more history than there were events before it.</summary>
    TooMuchHistory,
}

/// <summary>Whether a request's events are the next of their series: none is lost, and none is taken twice.</summary>
public static class SeriesRules
{
    /// <param name="known">How far the series is; null where nothing is kept of it.</param>
    /// <param name="isUsable">Whether what is kept can be gone on from: a recurrent state only by the variant that made it.</param>
    /// <param name="sequence">The number of the request's first event; null for the next one, whichever it is.</param>
    /// <param name="history">How many events before it the request brings; null for none.</param>
    /// <param name="first">The number of its first event.</param>
    public static SeriesVerdict Judge(
        SeriesProgress? known, bool isUsable, long? sequence, int count, string digest, int? history, out long first)
    {
        first = sequence ?? known?.Next ?? history ?? 0;
        if (known is null && history is null) return first == 0 ? SeriesVerdict.Begin : SeriesVerdict.Missing;
        if (known is not null && first < known.Next)
            return known.Last == new SeriesRequest(first, count, digest) ? SeriesVerdict.Repeat : SeriesVerdict.Passed;
        if (known is not null && first == known.Next && isUsable) return SeriesVerdict.Continue;
        if (history is not { } before) return SeriesVerdict.Missing;
        if (before > first && sequence is not null) return SeriesVerdict.TooMuchHistory;
        first = Math.Max(first, before);
        return SeriesVerdict.Rebuild;
    }
}
