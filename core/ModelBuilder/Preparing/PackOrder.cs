namespace R1Serverless.ModelBuilder.Preparing;

/// <summary>
/// In which order weights are best packed. ONNX Runtime 1.31 packs nodes in their order in the file, several at a time, each by one thread, and
/// hashes what was packed one at a time; it sorts a graph itself before it runs it. The smallest come first: the memory that they are packed into is
/// given back at once and used again by the next, in the processor's cache still. Behind the
/// largest, an output layer that `r1 model build` did not part, stands as much as it has: to hash that takes about as long as to make room for it and
/// to pack it. (Measured, docs/cold-start.md.) </summary>
internal static class PackOrder
{
    /// <param name="sizes">Of weights, in bytes.</param>
    /// <returns>Their indices, in order.</returns>
    public static IReadOnlyList<int> Of(IReadOnlyList<long> sizes)
    {
        List<int> order = [.. Enumerable.Range(0, sizes.Count).OrderBy(i => sizes[i])];
        if (order.Count == 0) return order;
        var largest = order[^1];
        order.RemoveAt(order.Count - 1);
        var (at, behind) = (order.Count, 0L);
        while (at > 0 && behind + sizes[order[at - 1]] <= sizes[largest]) behind += sizes[order[--at]];
        order.Insert(at, largest);
        return order;
    }
}
