namespace R1Serverless.Models;

/// <summary>A checkpoint or model folder that is missing, damaged or of a kind we don't support. The message says what and where, for a person to
/// read.</summary>
public class InvalidModelException : Exception
{
    public InvalidModelException(string message)
        : base(message)
    {
    }

    public InvalidModelException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
