namespace R1Serverless.Commands;

/// <summary>Says what goes on, a line at a time and in order.</summary>
internal sealed class StatusLines(TextWriter writer) : IProgress<string>
{
    public void Report(string value) => writer.WriteLine(value);
}
