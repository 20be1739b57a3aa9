namespace R1Serverless.Models.Layouts;

/// <summary>Whether a graph's keys and values can stay in one buffer, past and present: only where GroupQueryAttention reads and writes
/// them.</summary>
internal static class SharedCache
{
    private const string Attention = "GroupQueryAttention", Contrib = "com.microsoft";

    /// <summary>Where that node has past keys and values among its inputs, and present ones among its outputs.</summary>
    private const int PastAt = 3, PresentAt = 1;

    /// <summary>Why the graph can't be served, in words, or null if its cache can be shared.</summary>
    public static string? Refusal(OnnxFile graph, GraphNames names)
    {
        var inputs = graph.Inputs.Select(input => input.Name).ToHashSet(StringComparer.Ordinal);
        if (!inputs.Contains(names.Layer(0)[0].Past))
        {
            return inputs.Contains(names.InputIds)
                ? $"it has no KV cache (no input '{names.Layer(0)[0].Past}'), so every token would cost the whole text again"
                : $"it is no decoder of text (no input '{names.InputIds}')";
        }

        for (var layer = 0; inputs.Contains(names.Layer(layer)[0].Past); layer++)
        {
            var pair = names.Layer(layer);
            for (var kind = 0; kind < pair.Count; kind++)
            {
                var (past, present) = pair[kind];
                var reader = graph.Nodes.FirstOrDefault(node => node.Inputs.Contains(past));
                if (reader is null) return $"nothing reads '{past}'";
                if (reader.Type != Attention || reader.Domain != Contrib)
                    return $"its keys and values go through {reader.Type}, which makes a longer copy at every step, instead of {Attention}, which "
                        + "can write into a shared buffer";
                if (reader.Inputs.ElementAtOrDefault(PastAt + kind) != past || reader.Outputs.ElementAtOrDefault(PresentAt + kind) != present)
                    return $"'{past}' and '{present}' are not past and present of one {Attention}";
            }
        }

        return null;
    }
}
