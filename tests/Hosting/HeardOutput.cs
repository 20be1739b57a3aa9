using System.Text;

namespace R1Serverless.Tests.Hosting;

/// <summary>What a server says, read by the test while it is still speaking.</summary>
internal sealed class HeardOutput : TextWriter
{
    private readonly StringBuilder _heard = new();

    public override Encoding Encoding => Encoding.Unicode;

    public override void Write(char value)
    {
        lock (_heard) _heard.Append(value);
    }

    public override void Write(char[] buffer, int index, int count)
    {
        lock (_heard) _heard.Append(buffer, index, count);
    }

    public override void Write(string? value)
    {
        lock (_heard) _heard.Append(value);
    }

    public override string ToString()
    {
        lock (_heard) return _heard.ToString();
    }
}
