using System.Collections.Concurrent;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Hosting;

/// <summary>Lines that are told to an operator.</summary>
internal sealed class Said : IStartProgress
{
    private readonly ConcurrentQueue<string> _lines = [];

    public IReadOnlyCollection<string> Lines => _lines;

    public Action<string> OnLine { get; set; } = _ => { };

    public void Report(string value)
    {
        _lines.Enqueue(value);
        OnLine(value);
    }
}
