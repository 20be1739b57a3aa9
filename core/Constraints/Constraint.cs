using R1Serverless.Constraints.Automata;
using R1Serverless.Constraints.Expressions;
using R1Serverless.Constraints.Grammars;
using R1Serverless.Constraints.Schemas;
using R1Serverless.Constraints.Tokens;

namespace R1Serverless.Constraints;

/// <summary>Compiles constraints.</summary>
public static class Constraint
{
    /// <summary>Compiles a constraint for a vocabulary.</summary>
    /// <exception cref="ConstraintException">It is malformed, contradictory, too large, or has something that is not supported.</exception>
    public static CompiledGrammar Compile(ConstraintSpec spec, TokenTrie trie, CompileLimits? limits = null)
    {
        limits ??= new CompileLimits();
        var store = new TermStore(limits.MaxStates);
        var derivatives = new Derivatives(store);
        try
        {
            var start = Start(spec, store, derivatives, limits);
            // The first moves are asked for here, so that a rule which begins with itself is refused now.
            if (!derivatives.IsPossible(start) || !start.IsNullable && derivatives.Moves(start).Length == 0)
                throw new ConstraintException("", "constraint", "no text satisfies it");
            return new CompiledGrammar(start, store, derivatives, trie);
        }
        catch (InsufficientExecutionStackException)
        {
            throw new ConstraintException("", "depth", "the constraint nests too deeply");
        }
    }

    private static Term Start(ConstraintSpec spec, TermStore store, Derivatives derivatives, CompileLimits limits)
    {
        switch (spec)
        {
            case ConstraintSpec.JsonSchema schema:
                CheckLength(schema.Schema.GetRawText().Length, limits);
                return new SchemaCompiler(schema.Schema, new JsonTerms(store, schema.Whitespace), derivatives).Compile();
            case ConstraintSpec.JsonObject any:
                return new JsonTerms(store, any.Whitespace).AnyObject;
            case ConstraintSpec.Regex regex:
                CheckLength(regex.Expression.Length, limits);
                return new ExpressionCompiler(new Characters(store, isJson: false)).Whole(regex.Expression);
            case ConstraintSpec.Choice choice when choice.Texts.Count == 0:
                throw new ConstraintException("", "choice", "expected at least one text");
            case ConstraintSpec.Choice choice:
                CheckLength(choice.Texts.Sum(text => text.Length), limits);
                return new Characters(store, isJson: false).AnyOf(choice.Texts.Distinct());
            case ConstraintSpec.Grammar grammar:
                CheckLength(grammar.Source.Length, limits);
                return new GrammarCompiler(new Characters(store, isJson: false)).Compile(grammar.Source);
            default:
                throw new ArgumentException($"{spec.GetType().Name} is no constraint.", nameof(spec));
        }
    }

    private static void CheckLength(int length, CompileLimits limits)
    {
        if (length > limits.MaxLength)
            throw new ConstraintException("", "size", $"expected at most {limits.MaxLength} characters");
    }
}
