namespace R1Serverless.Scheduling.Prefixes;

/// <summary>Blocks of a prompt's beginning that lie in a slot: they stay until this is disposed.</summary>
public sealed class HeldPrefix : IDisposable
{
    private readonly PrefixTree _tree;
    private IReadOnlyList<PrefixTree.Node>? _path;

    internal HeldPrefix(PrefixTree tree, IReadOnlyList<PrefixTree.Node> path) => (_tree, _path) = (tree, path);

    public void Dispose()
    {
        if (_path is { } path) _tree.Release(path);
        _path = null;
    }
}
